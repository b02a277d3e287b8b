"""Records of published images, put beside them for others."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lamina.cache.record import EMPTY, key_tag, read_record_manifest, record_manifest
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.oci.descriptor import MANIFEST_TYPE
from lamina.registry import Manifest
from lamina.store.built_json import from_json, to_json


class Target(Protocol):
    """A registry, as far as records need it; its errors are `NetworkError`."""

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """Return the manifest of a tag, None where there is none."""

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether a repository has a blob."""

    def push_blob(self, repository: str, digest: Digest, path: Path, size: int) -> None:
        """Send a file as a blob."""

    def pull_blob(self, repository: str, digest: Digest, path: Path) -> None:
        """Write the blob with this digest to `path`, its content checked."""

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Put a manifest under a tag."""


def offer_record(target: Target, repository: str, built: Built, work: Path) -> bool:
    """Put the record of an image that `repository` has beside it; tell whether it was sent.

    The tag of a key does not move: a record that is there stays, unless it is of the same image
    and does not say that this has passed its tests. `work` is a folder for what is made on the
    way.
    """
    tag = key_tag(built.key)
    there = target.manifest(repository, tag)
    if there is not None and not _adds(target, repository, there, built, work):
        return False
    record = to_json(built)
    for content in (EMPTY, record):
        digest = Digest.of(content)
        if not target.has_blob(repository, digest):
            path = work / digest.hex
            path.write_bytes(content)
            target.push_blob(repository, digest, path, len(content))
            path.unlink()
    manifest = Manifest(content=record_manifest(built, record), media_type=MANIFEST_TYPE)
    target.put_manifest(repository, tag, manifest)
    return True


def _adds(target: Target, repository: str, there: Manifest, built: Built, work: Path) -> bool:
    """Tell whether the record of `built` says more than the one that is there."""
    path = work / f"{built.key.hex}.there"
    try:
        target.pull_blob(repository, read_record_manifest(there.content).digest, path)
        known = from_json(path.read_bytes())
    except ValueError:
        return True  # nobody could use it
    finally:
        path.unlink(missing_ok=True)
    return known.manifest == built.manifest and known.tested is None and built.tested is not None
