"""Small artifacts put into registries and got from them, whole."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from lamina.model.digest import Digest
from lamina.oci.artifact import EMPTY, Artifact, read_artifact
from lamina.oci.descriptor import MANIFEST_TYPE
from lamina.registry.values import Manifest


class Answer(Protocol):
    """A manifest as a registry gives it."""

    @property
    def content(self) -> bytes:
        """The bytes, which have the digest that was asked for."""


class Source(Protocol):
    """A registry, as far as it is read; its errors are `NetworkError`."""

    def manifest(self, repository: str, reference: str) -> Answer | None:
        """Return the manifest of a tag, None where there is none."""

    def pull_blob(self, repository: str, digest: Digest, path: Path) -> bool:
        """Write the blob with this digest to `path`, its content checked; tell if there is one."""

    def stop(self) -> None:
        """Let every call that is under way in another thread end soon."""


class Target(Source, Protocol):
    """A registry, as far as it is written to."""

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether a repository has a blob."""

    def push_blob(self, repository: str, digest: Digest, path: Path, size: int) -> None:
        """Send a file as a blob."""

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Put a manifest under a tag."""


def get_artifact(source: Source, repository: str, tag: str, type_: str) -> Artifact | None:
    """Return the artifact that a tag means, None where there is none.

    Raises `ValueError` when the tag means something else, or the content is not the manifest's
    or was lost.
    """
    answer = source.manifest(repository, tag)
    if answer is None:
        return None
    head = read_artifact(answer.content, type_)
    digest = head.content.digest
    if digest == Digest.of(EMPTY):
        return Artifact(type=type_, annotations=head.annotations)
    with TemporaryDirectory(prefix="lamina-") as folder:
        path = Path(folder) / digest.hex
        if not source.pull_blob(repository, digest, path):
            raise ValueError(f"its content, the blob {digest}, is not there")
        content = path.read_bytes()
    if Digest.of(content) != digest:
        raise ValueError(f"its content is not the blob {digest}")
    return Artifact(type=type_, content=content, annotations=head.annotations)


def put_artifact(target: Target, repository: str, tag: str, artifact: Artifact) -> None:
    """Let a tag mean an artifact."""
    with TemporaryDirectory(prefix="lamina-") as folder:
        for content in dict.fromkeys((EMPTY, artifact.content)):
            digest = Digest.of(content)
            if not target.has_blob(repository, digest):
                path = Path(folder) / digest.hex
                path.write_bytes(content)
                target.push_blob(repository, digest, path, len(content))
    manifest = Manifest(content=artifact.manifest(), media_type=MANIFEST_TYPE)
    target.put_manifest(repository, tag, manifest)
