"""How a catalogue and a lock differ, and what is therefore to be solved."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lamina.lock.artifacts import choose_artifacts, key_of
from lamina.lock.request import buildable, request_digest
from lamina.model.catalog import Catalog, Distro
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock, LockedImage, spoken_key


def check_lock(catalog: Catalog, lock: Lock, *, layer_budget: int | None = None) -> tuple[str, ...]:
    """Return in words how the lock disagrees with the catalogue; nothing when it agrees.

    A `layer_budget` is one that the lock must have.
    """
    differences = list(_differences(catalog, lock))
    if layer_budget not in (None, lock.layer_budget):
        differences.append(f"layer budget changed {lock.layer_budget} -> {layer_budget}")
    return tuple(differences)


def _differences(catalog: Catalog, lock: Lock) -> Iterator[str]:
    distro = catalog.distro
    if (lock.distro, lock.architecture) != (distro.name, distro.architecture):
        yield (
            f"the lock is for {lock.distro} {lock.architecture}, "
            f"the catalogue for {distro.name} {distro.architecture}"
        )
    locked = lock.by_id()
    images = buildable(catalog)
    for image in images:
        if image.id not in locked:
            yield f"image {image.id} added"
        elif changes := (
            *_changes(image, locked[image.id], distro),
            *_artifact_changes(image, locked[image.id], lock),
        ):
            yield f"{image.id}: {', '.join(changes)}"
    for removed in sorted(str(id_) for id_ in set(locked) - {image.id for image in images}):
        yield f"image {removed} removed"


def _changes(image: Image, locked: LockedImage, distro: Distro) -> Iterator[str]:
    if request_digest(image, distro) == locked.request:
        return
    added = sorted(set(image.packages) - set(locked.packages))
    removed = sorted(set(locked.packages) - set(image.packages))
    if added or removed:
        moves = [*(f"+{name}" for name in added), *(f"-{name}" for name in removed)]
        yield f"packages changed {' '.join(moves)}"
    if image.parent != locked.parent:
        yield f"parent changed {locked.parent or 'none'} -> {image.parent or 'none'}"
    if not (added or removed) and image.parent == locked.parent:
        yield "repositories or release changed"


def _artifact_changes(image: Image, locked: LockedImage, lock: Lock) -> Iterator[str]:
    pins = {unit.key: unit for unit in choose_artifacts(image, lock, {}).pinned}
    wanted = {key_of(artifact) for artifact in image.artifacts}
    there = {*locked.artifacts, *locked.unpinned}
    for key in sorted(there - wanted):
        yield f"{spoken_key(key)} removed"
    for key in sorted(wanted - there):
        yield f"{spoken_key(key)} added"
    for key in sorted(wanted & there):
        if pins.get(key) != (lock.units[key] if key in locked.artifacts else None):
            yield f"{spoken_key(key)} changed"


def needed(catalog: Catalog, lock: Lock | None, update: Collection[ImageId]) -> tuple[ImageId, ...]:
    """Return the images that must be solved, in the catalogue's order.

    These are the ones in `update` and the ones of which the lock has no choice for the present
    request. What stands below them is solved as well if their packages come out changed, which
    only solving can tell.
    """
    locked = lock.by_id() if lock else {}
    return tuple(
        image.id
        for image in buildable(catalog)
        if image.id in update
        or image.id not in locked
        or locked[image.id].request != request_digest(image, catalog.distro)
    )
