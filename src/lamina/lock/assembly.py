"""A lock put together from what was solved now and what an earlier lock has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from lamina.backends.deb.solver import Solution
from lamina.errors import Fault, LockError
from lamina.lock.artifacts import Sights, choose_artifacts
from lamina.lock.layers import layering_of
from lamina.lock.request import buildable, catalog_digest, request_digest
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId
from lamina.model.lock import LAYER_BUDGET, Index, Lock, LockedImage, UnitRef


def make_lock(
    catalog: Catalog,
    solved: Mapping[ImageId, Solution],
    indices: Collection[Index],
    *,
    sights: Sights = MappingProxyType({}),
    previous: Lock | None = None,
    layer_budget: int | None = None,
) -> Lock:
    """Return the lock of all buildable images: as solved, else as they are in `previous`.

    Artifacts are as the catalogue pins them, else as in `previous`, else as in `sights`.
    `indices` are those that the solutions were made from. The lock names each index that any of
    its choices was made from: as long as an image is kept from `previous`, its indices stay.
    Without a `layer_budget` that of `previous` stays too, as do its layers as far as they can.
    Raises `LockError` when a file that a kept image uses was rebuilt under the same version, or
    an image cannot do with so few layers, and `KeyError` for an image that is in neither.
    """
    known = previous.by_id() if previous else {}
    chosen = {image.id: choose_artifacts(image, previous, sights) for image in buildable(catalog)}
    images = tuple(
        replace(
            _locked(image, solved[image.id], catalog) if image.id in solved else known[image.id],
            artifacts=tuple(unit.key for unit in chosen[image.id].pinned),
            unpinned=chosen[image.id].unpinned,
        )
        for image in buildable(catalog)
    )
    units = dict(previous.units) if previous else {}
    units |= {unit.key: unit for solution in solved.values() for unit in solution.units}
    units |= {unit.key: unit for each in chosen.values() for unit in each.pinned}
    kept = [image for image in images if image.id not in solved]
    LockError.raise_all(
        [fault for image in kept if previous for fault in _rebuilt(image, previous, units)]
    )
    used = {*indices, *(previous.indices if previous and kept else ())}
    units = {key: units[key] for key in sorted({key for image in images for key in image.units})}
    budget = layer_budget or (previous.layer_budget if previous else LAYER_BUDGET)
    architecture = catalog.distro.architecture
    layering = layering_of(images, units, native=architecture, budget=budget, previous=previous)
    return Lock(
        distro=catalog.distro.name,
        architecture=architecture,
        catalog=catalog_digest(catalog),
        indices=tuple(sorted(used)),
        units=units,
        layers=layering.groups,
        images=tuple(replace(image, layers=layering.images[image.id]) for image in images),
        layer_budget=budget,
    )


def installed_units(
    image: ImageId, images: Mapping[ImageId, LockedImage], units: Mapping[str, UnitRef]
) -> tuple[UnitRef, ...]:
    """Return every package in an image, its ancestors' included, sorted."""
    found: list[UnitRef] = []
    here: ImageId | None = image
    while here is not None:
        locked = images[here]
        found += (units[key] for key in locked.packaged)
        here = locked.parent
    return tuple(sorted(found))


def _rebuilt(image: LockedImage, previous: Lock, units: Mapping[str, UnitRef]) -> Iterator[Fault]:
    """Yield a fault for each package of a kept image that is now the name of another file."""
    for unit in (previous.units[key] for key in image.packaged):
        if units[unit.key].digest != unit.digest:
            message = f"the repository has another file for {unit.key} than the lock"
            yield Fault(str(image.id), message, f"lamina lock --update {image.id}")


def _locked(image: Image, solution: Solution, catalog: Catalog) -> LockedImage:
    return LockedImage(
        id=image.id,
        parent=image.parent,
        request=request_digest(image, catalog.distro),
        packages=tuple(sorted(image.packages)),
        bootstrap=solution.bootstrap,
        calls=solution.calls,
    )
