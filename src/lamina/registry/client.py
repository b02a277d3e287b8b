"""A registry of the OCI distribution specification 1.1: blobs and manifests, one call each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from lamina.errors import NetworkError
from lamina.model.digest import Digest
from lamina.oci.descriptor import MANIFEST_TYPE
from lamina.oci.disk import disk_faults
from lamina.registry.content import CHUNK, checked_chunks
from lamina.registry.errors import TryAgainError
from lamina.registry.exchange import Exchange, Repository
from lamina.registry.transport import Transport
from lamina.registry.values import Access, Manifest, Sent, Traffic

_LARGEST_MANIFEST = 4 << 20  # bytes; the specification's limit
_DIGEST = "docker-content-digest"


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
        return self._answer(self._at(repository).blob("HEAD", digest)).is_success

    def mount_blob(self, repository: str, digest: Digest, source_repository: str) -> bool:
        """Give a repository a blob of another one; tell whether the registry did.

        One that does not leaves nothing behind, and the blob is to be sent.
        """
        there = self._at(repository)
        response = self._answer(there.mount(digest, source_repository))
        if response.status_code == HTTPStatus.CREATED:
            return True
        # What it began instead ends by itself too, in a day or a week.
        with suppress(NetworkError, TryAgainError):
            self._transport.answer(there.cancel(str(_location(response, there))))
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
        there = self._at(repository)
        failed = False

        def body() -> Iterator[bytes]:
            sent = 0
            for chunk in checked_chunks(path, digest, size):
                self._transport.check_stopped()
                self._transport.count(blob_bytes=len(chunk))
                yield chunk
                sent += len(chunk)
                if on_progress:
                    on_progress(sent)

        def attempt() -> None:
            nonlocal failed
            # The attempt before may have come to its end, and only the answer been lost.
            if failed and self._answer(there.blob("HEAD", digest)).is_success:
                return
            failed = True
            url = _location(self._answer(there.begin()), there)
            url = url.copy_merge_params({"digest": str(digest)})
            self._transport.answer(there.finish(str(url), size, body))

        self._transport.tried(str(there), attempt)

    def pull_blob(self, repository: str, digest: Digest, path: Path) -> bool:
        """Write a blob into the file at `path`, its content verified; tell whether there is one.

        No file is left of a failure. Raises `StoreError` when it cannot be written.
        """
        exchange = self._at(repository).blob("GET", digest)

        def attempt() -> bool:
            sha256 = hashlib.sha256()
            with self._transport.stream(exchange) as response:
                if response.status_code == HTTPStatus.NOT_FOUND:
                    return False
                with path.open("wb") as file:
                    for chunk in _body(response):
                        self._transport.check_stopped()
                        sha256.update(chunk)
                        file.write(chunk)
            if sha256.hexdigest() != digest.hex:
                raise TryAgainError(f"the registry sent sha256:{sha256.hexdigest()} for {digest}")
            return True

        try:
            with disk_faults(path.parent):
                return self._transport.tried(exchange.place, attempt)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def manifest(self, repository: str, reference: str | Digest) -> Manifest | None:
        """Return the manifest (or index) that a tag or digest means; None if there is none.

        Its content is verified against the digest, or what the registry says is its digest.
        """
        exchange = self._at(repository).manifest("GET", reference)

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
        response = self._answer(self._at(repository).manifest("HEAD", reference))
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            return Digest.parse(response.headers[_DIGEST])
        except (KeyError, ValueError):  # not every registry says so
            found = self.manifest(repository, reference)
            return found.digest if found else None

    def put_manifest(self, repository: str, reference: str | Digest, manifest: Manifest) -> None:
        """Put a manifest under a tag or its digest; its blobs and manifests are there already."""

        def body() -> Iterator[bytes]:
            self._transport.count(manifest_bytes=len(manifest.content))
            yield manifest.content

        size = len(manifest.content)
        exchange = self._at(repository).put(reference, manifest.media_type, size, body)
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
        url = ""
        found: set[str] = set()
        seen: set[str] = set()
        while url not in seen:
            seen.add(url)
            exchange = self._at(repository).tags(url)
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
        self._answer(self._at(repository).manifest("DELETE", reference))

    def _at(self, repository: str) -> Repository:
        return Repository(host=self.host, name=repository)

    def _answer(self, exchange: Exchange) -> httpx.Response:
        """Return the answer to an exchange that is tried again after a failure."""
        return self._transport.tried(exchange.place, lambda: self._transport.answer(exchange))


def _body(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body; what breaks off can be had again."""
    try:
        yield from response.iter_raw(CHUNK)
    except httpx.HTTPError as error:
        raise TryAgainError(f"the registry broke off: {error}") from None


def _location(response: httpx.Response, there: Repository) -> httpx.URL:
    """Return where an upload goes on."""
    given = response.headers.get("location")
    if not given:
        raise NetworkError.one(
            "it does not say where to send a blob",
            place=str(there),
            remedy="is this a registry of the OCI distribution specification?",
        )
    return response.url.join(given)
