"""What a fleet weighs: the values of the storage report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lamina.model.digest import Digest
from lamina.model.image import ImageId, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bytes of tar, of compressed blobs, and on a node's file system of 4 KiB blocks.

    `disk` is known of layers that exist, and `None` where a unit's part of one counts.
    """

    uncompressed: int
    compressed: int
    disk: int | None = None

    def __add__(self, other: Size) -> Size:
        """Add each to its like."""
        known = self.disk is not None and other.disk is not None
        return Size(
            uncompressed=self.uncompressed + other.uncompressed,
            compressed=self.compressed + other.compressed,
            disk=(self.disk or 0) + (other.disk or 0) if known else None,
        )


NOTHING = Size(uncompressed=0, compressed=0, disk=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStorage:
    """What one image weighs."""

    id: ImageId
    family: str
    parent: ImageId | None
    layers: int
    apparent: Size  # all its layers
    exclusive: Size  # the layers that no other image has: what its removal would free
    shared: Size  # the other ones
    amortised: Size  # its part of every layer, divided among the images that have it
    own: Size  # the units that it installs over its parent
    delta: Size  # what its own build changed
    seconds: float  # how long its build took

    @property
    def kind(self) -> Kind:
        """Infrastructure or a part of OpenStack: only the latter has a type."""
        return Kind.OPENSTACK if self.id.type else Kind.INFRA


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStorage:
    """What one layer weighs, and what it holds: packages, or a delta."""

    digest: Digest  # of the blob
    size: Size
    images: int  # that have it
    packages: tuple[str, ...]  # names, sorted; none in a delta
    delta_of: tuple[ImageId, ...]  # whose own delta it is: one image, or several with equal ones


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageStorage:
    """What one package at one version weighs, stored once."""

    name: str
    version: str
    size: Size
    images: int  # that have it
    stored: int  # in how many layers it lies


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaPart:
    """A file in a delta, or all files of one sort."""

    name: str
    size: int  # bytes of content


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaStorage:
    """What an image's delta weighs and holds."""

    image: ImageId
    size: Size
    files: int
    parts: tuple[DeltaPart, ...]  # largest first


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What the same content would weigh, arranged in other layers."""

    name: str  # for scripts: `squashed`
    title: str  # for people
    size: Size
    ratio: float  # uncompressed, to the lower bound
    compressed_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStorage:
    """What a node holds that has pulled every image.

    Its storage keeps a layer once for each chain of layers that ends with it, by the chain id of
    the OCI image specification (config.md), and not once for each blob.
    """

    uncompressed: int
    disk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReport:
    """What the fleet weighs; images by name, layers, packages and deltas largest first."""

    images: tuple[ImageStorage, ...]
    layers: tuple[LayerStorage, ...]
    packages: tuple[PackageStorage, ...]
    deltas: tuple[DeltaStorage, ...]
    apparent: Size  # the sum over the images
    unique: Size  # every layer once
    shared: Size  # every layer once that several images have
    lower_bound: Size  # every unit once, and every delta once
    registry: int  # bytes of all blobs there: layers, configurations and manifests
    node: NodeStorage
    what_if: tuple[WhatIf, ...]  # the lower bound last
    answer: str  # whether the infra split saves storage, and what squashing would save

    @property
    def ratio(self) -> float:
        """Unique bytes over the lower bound, uncompressed: 1.0 is the least possible."""
        return ratio(self.unique.uncompressed, self.lower_bound.uncompressed)

    @property
    def compressed_ratio(self) -> float:
        """The same, compressed."""
        return ratio(self.unique.compressed, self.lower_bound.compressed)


def ratio(size: int, bound: int) -> float:
    """Return how many times `bound` a size is; 1.0 where there is nothing."""
    return size / bound if bound else 1.0


def total(sizes: Iterable[Size]) -> Size:
    """Return the sum of sizes."""
    return sum(sizes, NOTHING)
