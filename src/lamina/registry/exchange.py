"""Requests to a registry as values: OCI distribution specification 1.1, "Endpoints"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from lamina.model.digest import Digest
from lamina.oci.descriptor import INDEX_TYPE, MANIFEST_TYPE

_PAGE = 1000  # tags
_ACCEPTED = ", ".join(
    (
        MANIFEST_TYPE,
        INDEX_TYPE,
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
_EMPTY = {"Content-Length": "0"}

Body = Callable[[], Iterable[bytes]]  # begun anew when it is sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, as often as it takes to be let in."""

    method: str
    url: str  # a path of the registry, or an address that it gave
    place: str  # what it is about, for messages
    repository: str
    scopes: tuple[str, ...]  # what a token must allow
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    missing: bool = False  # that there is no such thing is an answer too


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of a registry, and what can be asked of it."""

    host: str
    name: str

    def __str__(self) -> str:
        """Print as messages name it."""
        return f"{self.host}/{self.name}"

    def blob(self, method: str, digest: Digest) -> Exchange:
        """Ask for a blob, or whether it is there."""
        return self._exchange(method, f"blobs/{digest}", "pull", missing=True)

    def begin(self) -> Exchange:
        """Begin to send a blob."""
        return self._exchange("POST", "blobs/uploads/", "pull,push", headers=_EMPTY)

    def mount(self, digest: Digest, source: str) -> Exchange:
        """Have a blob of the repository `source` mounted."""
        return Exchange(
            method="POST",
            url=f"/v2/{self.name}/blobs/uploads/?mount={digest}&from={quote(source, safe='')}",
            place=str(self),
            repository=self.name,
            scopes=(self._scope("pull,push"), f"repository:{source}:pull"),
            headers=_EMPTY,
        )

    def finish(self, url: str, size: int, body: Body) -> Exchange:
        """Send a blob of `size` bytes to where the registry said."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        return Exchange(
            method="PUT",
            url=url,
            place=str(self),
            repository=self.name,
            scopes=(self._scope("pull,push"),),
            headers=headers,
            body=body,
        )

    def cancel(self, url: str) -> Exchange:
        """End the sending of a blob that was begun."""
        return Exchange(
            method="DELETE",
            url=url,
            place=str(self),
            repository=self.name,
            scopes=(self._scope("pull,push"),),
        )

    def manifest(self, method: str, reference: str | Digest) -> Exchange:
        """Ask for a manifest, whether it is there, or for its end; it may not be there."""
        actions = "pull,push,delete" if method == "DELETE" else "pull"
        return self._exchange(
            method,
            f"manifests/{reference}",
            actions,
            place=self._place(reference),
            headers={"Accept": _ACCEPTED},
            missing=True,
        )

    def put(self, reference: str | Digest, media_type: str, size: int, body: Body) -> Exchange:
        """Put a manifest of `size` bytes under a tag or its digest."""
        return self._exchange(
            "PUT",
            f"manifests/{reference}",
            "pull,push",
            place=self._place(reference),
            headers={"Content-Type": media_type, "Content-Length": str(size)},
            body=body,
        )

    def tags(self, url: str = "") -> Exchange:
        """Ask for the tags: the first page, or the one that the page before named."""
        first = f"/v2/{self.name}/tags/list?n={_PAGE}"
        return Exchange(
            method="GET",
            url=url or first,
            place=str(self),
            repository=self.name,
            scopes=(self._scope("pull"),),
            missing=True,
        )

    def _exchange(
        self,
        method: str,
        path: str,
        actions: str,
        *,
        place: str = "",
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        missing: bool = False,
    ) -> Exchange:
        return Exchange(
            method=method,
            url=f"/v2/{self.name}/{path}",
            place=place or str(self),
            repository=self.name,
            scopes=(self._scope(actions),),
            headers=headers or {},
            body=body,
            missing=missing,
        )

    def _scope(self, actions: str) -> str:
        return f"repository:{self.name}:{actions}"

    def _place(self, reference: str | Digest) -> str:
        return f"{self}{'@' if isinstance(reference, Digest) else ':'}{reference}"
