"""Which packages an image has, those of its ancestors too, and how two such sets differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lamina.model.image import ImageId
from lamina.model.lock import Lock, UnitRef

Move = Literal["added", "removed", "updated", "moved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of an image, and the image that installs it: itself or an ancestor."""

    unit: UnitRef
    image: ImageId


Packages = Mapping[str, Package]  # by name, with the architecture if it is a foreign one


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package that two images have differently; None where it is not there."""

    name: str
    old: Package | None
    new: Package | None

    @property
    def move(self) -> Move:
        """What became of it; `moved` is the same package, installed by another image."""
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        return "moved" if self.old.unit.identity == self.new.unit.identity else "updated"

    @property
    def growth(self) -> int:
        """By how many bytes the package file is larger than before."""
        return _size(self.new) - _size(self.old)


def packages_of(
    line: Iterable[tuple[ImageId, Iterable[UnitRef]]], *, architecture: str
) -> Packages:
    """Return the packages of the last of `line`: images, the oldest first, with their own units.

    What an image installs takes the place of what its ancestors installed by that name.
    """
    found: dict[str, Package] = {}
    for image, units in line:
        for unit in units:
            native = unit.architecture in (architecture, "all")
            name = unit.name if native else f"{unit.name}:{unit.architecture}"
            found[name] = Package(unit=unit, image=image)
    return found


def locked_packages(lock: Lock, image: ImageId) -> Packages:
    """Return the packages that an image of the lock has."""
    images = lock.by_id()
    line = [(id_, lock.units_of(images[id_])) for id_ in locked_line(lock, image)]
    return packages_of(line, architecture=lock.architecture)


def locked_line(lock: Lock, image: ImageId) -> tuple[ImageId, ...]:
    """Return an image of the lock and its ancestors, the oldest first."""
    images = lock.by_id()
    line = [image]
    while (parent := images[line[0]].parent) is not None:
        line.insert(0, parent)
    return tuple(line)


def changed_packages(old: Packages, new: Packages) -> tuple[PackageChange, ...]:
    """Return how the packages differ, by name."""
    return tuple(
        PackageChange(name=name, old=old.get(name), new=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if _identity(old.get(name)) != _identity(new.get(name))
    )


def _identity(package: Package | None) -> object:
    # Not the path: a package that has moved in its repository is the same.
    return package and (package.unit.identity, package.unit.version, package.image)


def _size(package: Package | None) -> int:
    return (package.unit.size or 0) if package else 0
