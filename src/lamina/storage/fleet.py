"""What a report is made of: built images with their ancestors, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lamina.model.built import Built, Layer, Part
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.storage.report import Size

Line = tuple[Built, ...]
"""An image with its ancestors, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Squash:
    """Several deltas made one: what lies beneath another of the same path is gone.

    `rooted` is one that reaches down to the image without parent: nothing is left for its
    whiteouts to hide.
    """

    deltas: tuple[Digest, ...]  # of the layers' blobs, lowest first
    rooted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaFile:
    """A file in a delta."""

    path: str
    size: int  # bytes of content


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Built images, and what the store knows of them."""

    lines: tuple[Line, ...]  # of every image that the report is about
    families: Mapping[ImageId, str]
    configs: Mapping[Digest, int]  # bytes
    squashes: Mapping[Squash, Size]  # those that the what-ifs need, measured
    deltas: Mapping[Digest, tuple[DeltaFile, ...]]  # by their layers' blobs

    @property
    def images(self) -> tuple[Built, ...]:
        """The images that the report is about, by name."""
        return tuple(sorted((line[-1] for line in self.lines), key=lambda image: image.id))

    def members(self) -> Mapping[Digest, Built]:
        """Return all images and ancestors, by manifest."""
        return {built.manifest: built for line in self.lines for built in line}


def own_layers(image: Built) -> tuple[Layer, ...]:
    """Return the layers that an image has over its parent's."""
    return image.layers[len(image.layers) - image.own_layers :]


def own_units(image: Built) -> frozenset[str]:
    """Return the keys of the units that lie in an image's own layers."""
    return frozenset(unit for layer in own_layers(image) for unit in layer.units)


def own_deltas(image: Built) -> tuple[Layer, ...]:
    """Return the layer of an image's delta; none where it is empty."""
    return tuple(layer for layer in own_layers(image) if not layer.parts)


def size_of(layer: Layer) -> Size:
    """Return what a layer weighs."""
    return Size(uncompressed=layer.apparent, compressed=layer.size, disk=layer.disk)


def part_size(part: Part) -> Size:
    """Return what a unit takes of a layer."""
    return Size(uncompressed=part.apparent, compressed=part.size)


def unit_sizes(layers: Iterable[Layer]) -> Mapping[str, Size]:
    """Return what every unit takes of a layer, by key; the least, should layers differ."""
    sizes: dict[str, Size] = {}
    for layer in layers:
        for part in layer.parts:
            size, known = part_size(part), sizes.get(part.unit)
            sizes[part.unit] = min(size, known, key=_compressed) if known else size
    return sizes


def _compressed(size: Size) -> tuple[int, int]:
    return size.compressed, size.uncompressed
