"""The layering of a fleet: decided anew, or from the previous one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lamina.errors import Fault, LockError
from lamina.layering.division import Division
from lamina.layering.keeping import group_fresh, keep
from lamina.layering.merging import merge
from lamina.layering.order import put_in_order
from lamina.layering.overlaps import resolve
from lamina.layering.share import allowances, quotas
from lamina.layering.splitting import split
from lamina.layering.tree import Tree, parents_first, tree_of
from lamina.layering.values import Content, Layering, Unit

THRESHOLD = 0.02


def make_layering(
    contents: Collection[Content],
    *,
    budget: int,
    previous: Layering | None = None,
    threshold: float = THRESHOLD,
) -> Layering:
    """Return which units share a layer, so that each is stored once as far as the budget allows.

    `budget` is how many layers an image may have, its ancestors' and the deltas included.
    Of `previous` everything stays that can, as long as that stores no more than the part
    `threshold` of all bytes twice. `previous` in turn comes out of its own result unchanged.
    Raises `LockError` for every image that cannot be within the budget, and `KeyError` for a
    parent that is none of the images.
    """
    fleet = _Fleet.of(contents)
    fleet.refuse_impossible(budget)
    limit = int(sum(unit.size for unit in fleet.units) * (1 + threshold))
    if previous is None:
        return put_in_order(fleet.divide(budget, limit, None), fleet.contents, fleet.units, None)
    kept = fleet.divide(budget, limit, previous)
    if kept.stored > limit:
        fresh = fleet.divide(budget, limit, None)
        if kept.stored - fresh.stored > limit - sum(unit.size for unit in fleet.units):
            return put_in_order(fresh, fleet.contents, fleet.units, None)
    return put_in_order(kept, fleet.contents, fleet.units, previous)


_NOTHING = Layering(groups={}, images={})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fleet:
    """The images and their units by number: whatever order they came in, it is the same."""

    contents: tuple[Content, ...]  # parents first
    tree: Tree
    units: tuple[Unit, ...]  # by key
    numbers: Sequence[dict[str, int]]  # of each image's units, by their names

    @classmethod
    def of(cls, contents: Collection[Content]) -> _Fleet:
        """Return the fleet of these images."""
        ordered = parents_first(contents)
        units = tuple(sorted({unit for content in ordered for unit in content.units}))
        numbers = {unit: number for number, unit in enumerate(units)}
        return cls(
            contents=ordered,
            tree=tree_of(ordered),
            units=units,
            numbers=[{unit.name: numbers[unit] for unit in one.units} for one in ordered],
        )

    def refuse_impossible(self, budget: int) -> None:
        """Raise `LockError` for every image that needs more layers than `budget`."""
        needs = self.tree.layers([1 + bool(content.units) for content in self.contents])
        faults = [
            Fault(
                str(content.image),
                f"with its ancestors it needs {need} layers, and the layer budget is {budget}",
                "raise the layer budget, or give the image a parent that is nearer to the root",
            )
            for content, need in zip(self.contents, needs, strict=True)
            if need > budget
        ]
        LockError.raise_all(faults)

    def divide(self, budget: int, limit: int, previous: Layering | None) -> Division:
        """Return the units divided into groups, at most `limit` bytes of them if there is room."""
        division = Division([unit.size for unit in self.units], len(self.contents))
        rest, kept = keep(division, self.contents, self.numbers, previous or _NOTHING)
        known = len(division.units)
        group_fresh(division, rest)
        needs = [len(groups) for groups in division.of_image]
        merge(division, quotas(self.tree, needs, kept, budget), ~kept)
        new = [group for group in division.groups() if group >= known]
        split(division, new, allowances(self.tree, division.own_layers(), budget))
        resolve(division, self.tree, budget=budget, limit=limit)
        return division
