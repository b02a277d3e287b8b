"""The layers of a lock: made from its images' units, and kept from the lock before."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lamina.layering import Content, Layering, Unit, make_layering
from lamina.model.lock import Lock, LockedImage, UnitRef, dpkg_name

_LIKELY = 32 << 20  # bytes of an artifact whose size nobody has told


def layering_of(
    images: Collection[LockedImage],
    units: Mapping[str, UnitRef],
    *,
    native: str,
    budget: int,
    previous: Lock | None,
) -> Layering:
    """Return which packages share a layer.

    `native` is the images' architecture. Raises `LockError` when an image cannot do with as few
    layers as `budget`.
    """
    members = {key: _member(unit, native) for key, unit in units.items()}
    contents = [
        Content(
            image=image.id,
            parent=image.parent,
            units=tuple(members[key] for key in image.units),
        )
        for image in images
    ]
    before = None
    if previous:
        before = Layering(
            groups=previous.layers, images={image.id: image.layers for image in previous.images}
        )
    return make_layering(contents, budget=budget, previous=before)


def _member(unit: UnitRef, native: str) -> Unit:
    name = dpkg_name(unit.name, unit.architecture, native=native)
    return Unit(key=unit.key, name=name, size=_LIKELY if unit.size is None else unit.size)
