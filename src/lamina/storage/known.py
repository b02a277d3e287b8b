"""What was measured of the images that are built, for predictions about others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef
from lamina.storage.fleet import own_layers, own_units, part_size, size_of
from lamina.storage.report import Size, total

Content = frozenset[Digest]
"""A layer's units, by what becomes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Built images, and the sizes of what they have."""

    images: Mapping[ImageId, Built]
    configs: Mapping[Digest, int]  # bytes, by digest
    layers: Mapping[Content, Size]  # of units
    units: Mapping[Digest, Size]  # by what they are made of

    @classmethod
    def of(cls, images: Mapping[ImageId, Built], configs: Mapping[Digest, int]) -> Known:
        """Return what these images tell."""
        layers: dict[Content, Size] = {}
        units: dict[Digest, Size] = {}
        for image in images.values():
            digests = {unit.key: unit.identity for unit in image.units}
            for layer in own_layers(image):
                layers[frozenset(digests[unit] for unit in layer.units)] = size_of(layer)
                for part in layer.parts:
                    units[digests[part.unit]] = part_size(part)
        return cls(images=images, configs=configs, layers=layers, units=units)

    def in_delta(self, image: ImageId) -> frozenset[tuple[str, str]]:
        """Return names and architectures of what dpkg unpacked into the image's delta."""
        built = self.images.get(image)
        if built is None:
            return frozenset()
        shared = own_units(built)
        return frozenset(
            (unit.name, unit.architecture) for unit in built.units if unit.key not in shared
        )

    def layer_size(self, units: Iterable[UnitRef]) -> Size | None:
        """Return what the layer of these units weighs; `None` if there is none yet."""
        return self.layers.get(frozenset(unit.identity for unit in units))

    def estimate(self, units: Iterable[UnitRef]) -> Size:
        """Return what units weigh together, package files in place of those that are not built."""
        return total(self.units.get(unit.identity) or _as_package(unit) for unit in units)


def _as_package(unit: UnitRef) -> Size:
    size = unit.size or 0
    return Size(uncompressed=size, compressed=size)
