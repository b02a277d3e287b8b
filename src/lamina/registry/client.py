"""A registry of the OCI distribution specification 1.1: blobs and manifests, one call each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from lamina.errors import LaminaError, NetworkError, StoreError
from lamina.model.digest import Digest
from lamina.oci.descriptor import INDEX_TYPE, MANIFEST_TYPE
from lamina.oci.disk import disk_faults
from lamina.registry.errors import TryAgainError
from lamina.registry.transport import Exchange, Transport
from lamina.registry.values import Access, Manifest, Sent, Traffic

_CHUNK = 256 * 1024  # bytes
_LARGEST_MANIFEST = 4 << 20  # bytes; the specification's limit
_PAGE = 1000  # tags
_ACCEPTED = ", ".join(
    (
        MANIFEST_TYPE,
        INDEX_TYPE,
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
_DIGEST = "docker-content-digest"
_NONE: Mapping[str, str] = MappingProxyType({})


class Registry:
    """One registry; may be used by several threads, and is to be used in a `with` block.

    Every method raises `NetworkError` once the registry has failed too often, or refuses.
    """

    def __init__(self, host: str, access: Access, *, secure: bool) -> None:
        """Speak to `host` (with its port) as `access` has it, over TLS if `secure`."""
        self._transport = Transport(host, access, secure=secure)
        self.host = host

    def __enter__(self) -> Self:
        """Give the registry."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Close all connections."""
        self._transport.close()

    @property
    def traffic(self) -> Traffic:
        """What was sent until now."""
        return self._transport.traffic

    def stop(self) -> None:
        """Let every call that is under way in another thread end soon, by a `StoppedError`."""
        self._transport.stop()

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether a repository has a blob."""
        exchange = self._read("HEAD", repository, f"blobs/{digest}")
        return self._answer(exchange).is_success

    def mount_blob(self, repository: str, digest: Digest, source_repository: str) -> bool:
        """Give a repository a blob of another one; tell whether the registry did.

        One that does not leaves nothing behind, and the blob is to be sent.
        """
        exchange = Exchange(
            method="POST",
            url=f"{_base(repository)}/blobs/uploads/?mount={digest}"
            f"&from={quote(source_repository, safe='')}",
            place=f"{self.host}/{repository}",
            repository=repository,
            scopes=(_scope(repository, "pull,push"), _scope(source_repository, "pull")),
            headers={"Content-Length": "0"},
        )
        response = self._answer(exchange)
        if response.status_code == HTTPStatus.CREATED:
            return True
        self._cancel(repository, response)
        return False

    def push_blob(
        self,
        repository: str,
        digest: Digest,
        path: Path,
        size: int,
        on_progress: Sent | None = None,
    ) -> None:
        """Send the file at `path`, of `size` bytes, as a blob; after a failure all of it again."""
        place = f"{self.host}/{repository}"
        exchange = self._read("HEAD", repository, f"blobs/{digest}")
        failed = False

        def attempt() -> None:
            nonlocal failed
            # The attempt before may have come to its end, and only the answer been lost.
            if failed and self._answer(exchange).is_success:
                return
            failed = True
            begun = self._answer(
                self._write("POST", repository, f"{_base(repository)}/blobs/uploads/", empty=True)
            )
            url = _location(begun, place).copy_merge_params({"digest": str(digest)})
            self._transport.answer(
                Exchange(
                    method="PUT",
                    url=str(url),
                    place=place,
                    repository=repository,
                    scopes=(_scope(repository, "pull,push"),),
                    headers={
                        "Content-Length": str(size),
                        "Content-Type": "application/octet-stream",
                    },
                    body=lambda: self._chunks(path, digest, size, on_progress),
                )
            )

        self._transport.tried(place, attempt)

    def pull_blob(self, repository: str, digest: Digest, path: Path) -> None:
        """Write a blob into the file at `path`, its content verified; none is left of a failure.

        Raises `StoreError` when it cannot be written.
        """
        exchange = self._read("GET", repository, f"blobs/{digest}", missing=False)

        def attempt() -> None:
            sha256 = hashlib.sha256()
            with self._transport.stream(exchange) as response, path.open("wb") as file:
                for chunk in _body(response):
                    self._transport.check_stopped()
                    sha256.update(chunk)
                    file.write(chunk)
            if sha256.hexdigest() != digest.hex:
                raise TryAgainError(f"the registry sent sha256:{sha256.hexdigest()} for {digest}")

        try:
            with disk_faults(path.parent):
                self._transport.tried(exchange.place, attempt)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def manifest(self, repository: str, reference: str | Digest) -> Manifest | None:
        """Return the manifest (or index) that a tag or digest means; None if there is none.

        Its content is verified against the digest, or what the registry says is its digest.
        """
        exchange = self._manifest("GET", repository, reference, headers={"Accept": _ACCEPTED})

        def attempt() -> Manifest | None:
            content = bytearray()
            with self._transport.stream(exchange) as response:
                if response.status_code == HTTPStatus.NOT_FOUND:
                    return None
                for chunk in _body(response):
                    content += chunk
                    if len(content) > _LARGEST_MANIFEST:
                        raise NetworkError.one(
                            f"the manifest has more than {_LARGEST_MANIFEST >> 20} MiB",
                            place=exchange.place,
                            remedy="this is no image that lamina can use",
                        )
            given = response.headers.get("content-type", MANIFEST_TYPE)
            found = Manifest(content=bytes(content), media_type=given.partition(";")[0].strip())
            expected = str(reference) if isinstance(reference, Digest) else ""
            for wanted in (expected, response.headers.get(_DIGEST, "")):
                if wanted.startswith("sha256:") and wanted != str(found.digest):
                    raise TryAgainError(f"the registry sent {found.digest} for {wanted}")
            return found

        return self._transport.tried(exchange.place, attempt)

    def manifest_digest(self, repository: str, reference: str | Digest) -> Digest | None:
        """Return what a tag points at, None if there is none; cheaper than the manifest itself."""
        exchange = self._manifest("HEAD", repository, reference, headers={"Accept": _ACCEPTED})
        response = self._answer(exchange)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            return Digest.parse(response.headers[_DIGEST])
        except (KeyError, ValueError):  # not every registry says so
            found = self.manifest(repository, reference)
            return found.digest if found else None

    def put_manifest(self, repository: str, reference: str | Digest, manifest: Manifest) -> None:
        """Put a manifest under a tag or its digest; its blobs and manifests are there already."""
        exchange = self._manifest(
            "PUT",
            repository,
            reference,
            headers={
                "Content-Type": manifest.media_type,
                "Content-Length": str(len(manifest.content)),
            },
            content=manifest.content,
        )
        response = self._answer(exchange)
        kept = response.headers.get(_DIGEST, "")
        if kept.startswith("sha256:") and kept != str(manifest.digest):
            raise NetworkError.one(
                f"the registry made {kept} of {manifest.digest}",
                place=exchange.place,
                remedy="the registry must take OCI manifests as they are",
            )

    def tags(self, repository: str) -> tuple[str, ...]:
        """Return all tags of a repository, sorted; none of one that is not there."""
        url = f"{_base(repository)}/tags/list?n={_PAGE}"
        found: set[str] = set()
        seen: set[str] = set()
        while url and url not in seen:
            seen.add(url)
            exchange = Exchange(
                method="GET",
                url=url,
                place=f"{self.host}/{repository}",
                repository=repository,
                scopes=(_scope(repository, "pull"),),
                missing=True,
            )
            response = self._answer(exchange)
            if response.status_code == HTTPStatus.NOT_FOUND:
                break
            try:
                found.update(response.json().get("tags") or ())
            except (ValueError, TypeError, AttributeError) as error:
                raise NetworkError.one(
                    "no list of tags came",
                    place=exchange.place,
                    remedy="is this a registry of the OCI distribution specification?",
                ) from error
            after = response.links.get("next", {}).get("url")
            url = str(response.url.join(after)) if after else ""
        return tuple(sorted(found))

    def delete_manifest(self, repository: str, reference: str | Digest) -> None:
        """Delete a manifest with all its tags, or where `reference` is a tag that alone.

        Not every registry can delete tags alone. What is not there counts as deleted.
        """
        exchange = self._manifest("DELETE", repository, reference)
        self._answer(exchange)

    def _answer(self, exchange: Exchange) -> httpx.Response:
        """Return the answer to an exchange that is tried again after a failure."""
        return self._transport.tried(exchange.place, lambda: self._transport.answer(exchange))

    def _read(self, method: str, repository: str, path: str, *, missing: bool = True) -> Exchange:
        return Exchange(
            method=method,
            url=f"{_base(repository)}/{path}",
            place=f"{self.host}/{repository}",
            repository=repository,
            scopes=(_scope(repository, "pull"),),
            missing=missing,
        )

    def _write(self, method: str, repository: str, url: str, *, empty: bool = False) -> Exchange:
        return Exchange(
            method=method,
            url=url,
            place=f"{self.host}/{repository}",
            repository=repository,
            scopes=(_scope(repository, "pull,push"),),
            headers={"Content-Length": "0"} if empty else {},
        )

    def _manifest(
        self,
        method: str,
        repository: str,
        reference: str | Digest,
        *,
        headers: Mapping[str, str] = _NONE,
        content: bytes | None = None,
    ) -> Exchange:
        """Return a request about one manifest; that it is not there is an answer to a question."""
        between = "@" if isinstance(reference, Digest) else ":"
        actions = {"PUT": "pull,push", "DELETE": "pull,push,delete"}.get(method, "pull")
        return Exchange(
            method=method,
            url=f"{_base(repository)}/manifests/{reference}",
            place=f"{self.host}/{repository}{between}{reference}",
            repository=repository,
            scopes=(_scope(repository, actions),),
            headers=headers,
            body=None if content is None else lambda: self._counted(content),
            missing=method != "PUT",
        )

    def _cancel(self, repository: str, begun: httpx.Response) -> None:
        """End an upload that the registry began in place of a mount, as far as it can."""
        place = f"{self.host}/{repository}"
        url = str(_location(begun, place))
        # It ends by itself too, in a day or a week.
        with suppress(NetworkError, TryAgainError):
            self._transport.answer(self._write("DELETE", repository, url))

    def _counted(self, content: bytes) -> Iterator[bytes]:
        self._transport.count(manifest_bytes=len(content))
        yield content

    def _chunks(
        self, path: Path, digest: Digest, size: int, on_progress: Sent | None
    ) -> Iterator[bytes]:
        """Yield a blob's content, told and counted as it goes out.

        The last of it goes out only if all of it is what it should be.
        """
        sha256 = hashlib.sha256()
        sent = 0
        with _opened(path, digest) as file:
            chunk = file.read(_CHUNK)
            while chunk:
                sha256.update(chunk)
                after = file.read(_CHUNK)
                if not after and sha256.hexdigest() != digest.hex:
                    raise _damaged(digest, f"its content is sha256:{sha256.hexdigest()}")
                self._transport.check_stopped()
                self._transport.count(blob_bytes=len(chunk))
                yield chunk
                sent += len(chunk)
                chunk = after
                if on_progress:
                    on_progress(sent)
        if sent != size:
            raise _damaged(digest, f"it has {sent} bytes, not {size}")


def _base(repository: str) -> str:
    return f"/v2/{repository}"


def _scope(repository: str, actions: str) -> str:
    return f"repository:{repository}:{actions}"


def _body(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body; what breaks off can be had again."""
    try:
        yield from response.iter_raw(_CHUNK)
    except httpx.HTTPError as error:
        raise TryAgainError(f"the registry broke off: {error}") from None


def _location(response: httpx.Response, place: str) -> httpx.URL:
    """Return where an upload goes on."""
    given = response.headers.get("location")
    if not given:
        raise NetworkError.one(
            "it does not say where to send a blob",
            place=place,
            remedy="is this a registry of the OCI distribution specification?",
        )
    return response.url.join(given)


def _opened(path: Path, digest: Digest) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise _damaged(digest, f"it cannot be read: {error.strerror}") from error


def _damaged(digest: Digest, why: str) -> LaminaError:
    return StoreError.one(f"blob {digest}: {why}", remedy="run `lamina build --verify` first")
