"""What is published, what a registry has of it, and what is left to do: all values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.reference import Reference

_CONTENT_DIGITS = 16  # hex digits of the digest in a content tag: 64 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A configuration or a layer; size in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """An image, and the names that it shall have in the registry."""

    image: ImageId
    manifest: Digest
    manifest_size: int  # bytes
    blobs: tuple[Blob, ...]  # the configuration, then the layers
    references: tuple[Reference, ...]  # the present name first
    generation: int  # how many images it stands on

    @property
    def content_tag(self) -> str:
        """The tag that never moves: it says which manifest it means.

        Not `sha256-...`, by which registries without referrers keep those (distribution
        specification 1.1, "Referrers Tag Schema").
        """
        return f"content-{self.manifest.hex[:_CONTENT_DIGITS]}"

    @property
    def repositories(self) -> tuple[str, ...]:
        """The repositories of its names, each once."""
        return tuple(dict.fromkeys(reference.repository for reference in self.references))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A name of an image that is not published now, whose layers the registry may have."""

    reference: Reference
    blobs: frozenset[Digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What is known of what a registry has."""

    tags: Mapping[Reference, Digest] = field(default_factory=dict)
    blobs: Mapping[str, frozenset[Digest]] = field(default_factory=dict)  # by repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A blob to be sent."""

    repository: str
    blob: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A blob that a repository shall have because another one has it."""

    repository: str
    source: str
    blob: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagging:
    """A manifest to be put under a tag."""

    image: ImageId
    reference: Reference
    manifest: Digest
    manifest_size: int  # bytes
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPlan:
    """What is to be done, in this order; parents stand before children."""

    uploads: tuple[Upload, ...] = ()
    mounts: tuple[Mount, ...] = ()
    contents: tuple[Tagging, ...] = ()  # under the tags that never move
    tags: tuple[Tagging, ...] = ()  # under those that do

    @property
    def repositories(self) -> frozenset[str]:
        """The repositories in which anything is to be done."""
        return frozenset(
            (
                *(upload.repository for upload in self.uploads),
                *(mount.repository for mount in self.mounts),
                *(tagging.reference.repository for tagging in (*self.contents, *self.tags)),
            )
        )

    @property
    def blob_bytes(self) -> int:
        """The bytes of blobs that are to be sent."""
        return sum(upload.blob.size for upload in self.uploads)

    @property
    def manifest_bytes(self) -> int:
        """The bytes of manifests that are to be sent."""
        return sum(tagging.manifest_size for tagging in (*self.contents, *self.tags))

    @property
    def requests(self) -> int:
        """The requests that it takes if none fails, those for tokens aside.

        An upload takes one to begin and one to send.
        """
        return 2 * len(self.uploads) + len(self.mounts) + len(self.contents) + len(self.tags)
