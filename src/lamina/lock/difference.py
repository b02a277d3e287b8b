"""How a catalogue and a lock differ, and two locks; and what is therefore to be solved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from lamina.lock.request import buildable, request_digest
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock, LockedImage, UnitRef

_NAMED = 3  # images that a line names before it counts the rest


def check_lock(catalog: Catalog, lock: Lock) -> tuple[str, ...]:
    """Return in words how the lock disagrees with the catalogue; nothing when it agrees."""
    return tuple(_differences(catalog, lock))


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
        elif request_digest(image, distro) != locked[image.id].request:
            yield f"{image.id}: {', '.join(_changes(image, locked[image.id]))}"
    for removed in sorted(str(id_) for id_ in set(locked) - {image.id for image in images}):
        yield f"image {removed} removed"


def _changes(image: Image, locked: LockedImage) -> Iterator[str]:
    added = sorted(set(image.packages) - set(locked.packages))
    removed = sorted(set(locked.packages) - set(image.packages))
    if added or removed:
        moves = [*(f"+{name}" for name in added), *(f"-{name}" for name in removed)]
        yield f"packages changed {' '.join(moves)}"
    if image.parent != locked.parent:
        yield f"parent changed {locked.parent or 'none'} -> {image.parent or 'none'}"
    if not (added or removed) and image.parent == locked.parent:
        yield "repositories or release changed"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package that two locks have differently; a version is empty where there is none."""

    package: str
    old: str
    new: str
    images: tuple[ImageId, ...]  # of whose own packages it is
    below: tuple[ImageId, ...]  # all others that have it from those

    def __str__(self) -> str:
        """Print as `openssl 3.5.1 -> 3.5.2: base, and 12 images below it`."""
        return f"{self.package} {self._move()}: {_named(self.images)}{_counted(self)}"

    def _move(self) -> str:
        if not self.old:
            return f"{self.new} added"
        if not self.new:
            return f"{self.old} removed"
        if self.old == self.new:
            return f"{self.new}, another file"
        return f"{self.old} -> {self.new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChange:
    """What moved from one lock to another."""

    added: tuple[ImageId, ...]
    removed: tuple[ImageId, ...]
    packages: tuple[PackageChange, ...]

    @property
    def touched(self) -> tuple[ImageId, ...]:
        """Every image of the new lock that differs, sorted."""
        changed = {image for change in self.packages for image in (*change.images, *change.below)}
        return tuple(sorted({*self.added, *changed} - set(self.removed), key=str))

    def __str__(self) -> str:
        """Print a line for each change; nothing for none."""
        return "\n".join(
            [
                *(f"image {image} added" for image in self.added),
                *(f"image {image} removed" for image in self.removed),
                *(str(change) for change in self.packages),
            ]
        )


def compare_locks(old: Lock, new: Lock) -> LockChange:
    """Return what moved between two locks, by package name.

    Packages of images that only one of the locks has are not listed: the image itself is.
    """
    before, after = old.by_id(), new.by_id()
    moved: dict[tuple[str, str, str], list[ImageId]] = defaultdict(list)
    for image in sorted(before.keys() & after.keys(), key=str):
        for move in _moves(_units_by_name(old, before[image]), _units_by_name(new, after[image])):
            moved[move].append(image)
    changes = (
        PackageChange(
            package=name,
            old=was,
            new=is_,
            images=tuple(images),
            below=_descendants(new, images),
        )
        for (name, was, is_), images in sorted(moved.items())
    )
    return LockChange(
        added=tuple(sorted(after.keys() - before.keys(), key=str)),
        removed=tuple(sorted(before.keys() - after.keys(), key=str)),
        packages=tuple(changes),
    )


def _units_by_name(lock: Lock, image: LockedImage) -> Mapping[str, UnitRef]:
    return {unit.name: unit for unit in lock.units_of(image)}


def _moves(
    before: Mapping[str, UnitRef], after: Mapping[str, UnitRef]
) -> Iterator[tuple[str, str, str]]:
    for name in sorted(before.keys() | after.keys()):
        was, is_ = before.get(name), after.get(name)
        if (was and was.digest) != (is_ and is_.digest):
            yield name, was.version if was else "", is_.version if is_ else ""


def _descendants(lock: Lock, images: Collection[ImageId]) -> tuple[ImageId, ...]:
    found = set(images)
    for image in lock.images:  # parents come first
        if image.parent in found:
            found.add(image.id)
    return tuple(sorted(found - set(images), key=str))


def _named(images: Collection[ImageId]) -> str:
    names = [str(image) for image in images]
    rest = len(names) - _NAMED
    if rest <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {rest} more"


def _counted(change: PackageChange) -> str:
    if not change.below:
        return ""
    images = "1 image" if len(change.below) == 1 else f"{len(change.below)} images"
    return f", and {images} below {'it' if len(change.images) == 1 else 'them'}"
