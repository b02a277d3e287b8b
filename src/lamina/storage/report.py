"""How much each image weighs, alone and shared, and how near the fleet is to the least possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lamina.model.built import Built, Layer
from lamina.model.digest import Digest
from lamina.model.image import ImageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bytes as they lie in a running node's layers, and as they lie in a registry."""

    uncompressed: int
    compressed: int

    def __add__(self, other: Size) -> Size:
        """Add each to its like."""
        return Size(
            uncompressed=self.uncompressed + other.uncompressed,
            compressed=self.compressed + other.compressed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStorage:
    """What one image weighs."""

    image: ImageId
    layers: int
    apparent: Size  # all its layers
    exclusive: Size  # the layers that no other image has: what its removal would free
    shared: Size  # the other ones
    amortised: Size  # each layer divided by the number of images that have it


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReport:
    """What the fleet weighs; images by name."""

    images: tuple[ImageStorage, ...]
    layers: int  # different ones
    apparent: Size  # the sum over the images
    unique: Size  # every layer once
    lower_bound: Size  # every unit once, and every delta once

    @property
    def ratio(self) -> float:
        """Unique bytes over the lower bound, uncompressed: 1.0 is the least possible."""
        bound = self.lower_bound.uncompressed
        return self.unique.uncompressed / bound if bound else 1.0

    @property
    def compressed_ratio(self) -> float:
        """The same, compressed."""
        bound = self.lower_bound.compressed
        return self.unique.compressed / bound if bound else 1.0


def make_report(images: Sequence[Built]) -> StorageReport:
    """Return what these images weigh, each alone and all together.

    The size of a unit that shares its layer with others is not known: it is taken as the part
    of the layer that its package file has among those of the layer, and the smallest such part
    counts where it lies in several layers. The lower bound is exact, and equal to the unique
    bytes, when no unit lies in two layers.
    """
    holders = Counter(digest for image in images for digest in {one.digest for one in image.layers})
    layers = {layer.digest: layer for image in images for layer in image.layers}
    storages = tuple(_image(image, holders) for image in sorted(images, key=lambda one: one.id))
    return StorageReport(
        images=storages,
        layers=len(layers),
        apparent=_sum([storage.apparent for storage in storages]),
        unique=_sum([_size(layer) for layer in layers.values()]),
        lower_bound=_lower_bound(
            layers.values(),
            {unit.key: unit.size for image in images for unit in image.units},
        ),
    )


def _image(image: Built, holders: Mapping[Digest, int]) -> ImageStorage:
    own = [layer for layer in image.layers if holders[layer.digest] == 1]
    others = [layer for layer in image.layers if holders[layer.digest] > 1]
    return ImageStorage(
        image=image.id,
        layers=len(image.layers),
        apparent=_sum([_size(layer) for layer in image.layers]),
        exclusive=_sum([_size(layer) for layer in own]),
        shared=_sum([_size(layer) for layer in others]),
        amortised=Size(
            uncompressed=round(sum(one.apparent / holders[one.digest] for one in image.layers)),
            compressed=round(sum(one.size / holders[one.digest] for one in image.layers)),
        ),
    )


def _lower_bound(layers: Collection[Layer], package_sizes: Mapping[str, int]) -> Size:
    """Return the bytes of every unit once and every delta once."""
    deltas = _sum([_size(layer) for layer in layers if not layer.units])
    uncompressed: dict[str, float] = {}
    compressed: dict[str, float] = {}
    for layer in layers:
        weights = {unit: max(package_sizes.get(unit, 1), 1) for unit in layer.units}
        whole = sum(weights.values())
        for unit, weight in weights.items():
            part = weight / whole
            uncompressed[unit] = min(uncompressed.get(unit, layer.apparent), layer.apparent * part)
            compressed[unit] = min(compressed.get(unit, layer.size), layer.size * part)
    units = Size(
        uncompressed=round(sum(uncompressed.values())), compressed=round(sum(compressed.values()))
    )
    return deltas + units


def _size(layer: Layer) -> Size:
    return Size(uncompressed=layer.apparent, compressed=layer.size)


def _sum(sizes: Collection[Size]) -> Size:
    return sum(sizes, Size(uncompressed=0, compressed=0))
