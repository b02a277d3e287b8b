"""The layers that a lock plans for an image, as groups of packages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.diff.packages import locked_line
from lamina.diff.turnover import Turnover, turnover
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import Lock, UnitRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Units that share a layer."""

    units: tuple[UnitRef, ...]  # sorted

    @property
    def size(self) -> int:
        """The bytes of the units' files, as far as they are known."""
        return sum(unit.size or 0 for unit in self.units)


def groups_of(lock: Lock, image: ImageId) -> tuple[Group, ...]:
    """Return the groups of an image of the lock, those of its ancestors first."""
    return tuple(_groups(lock, image))


def changed_groups(old: tuple[Group, ...], new: tuple[Group, ...]) -> Turnover[Group]:
    """Return which groups hold the same units on both sides, and which do not."""
    return turnover(old, new, _content)


def _groups(lock: Lock, image: ImageId) -> Iterator[Group]:
    images = lock.by_id()
    for id_ in locked_line(lock, image):
        units = lock.units_of(images[id_])
        for layer in images[id_].layers:
            names = frozenset(lock.layers[layer])
            yield Group(units=tuple(sorted(unit for unit in units if unit.name in names)))


def _content(group: Group) -> frozenset[Digest]:
    return frozenset(unit.identity for unit in group.units)
