"""Units that lie in several groups, brought together in one of their own."""

from __future__ import annotations

from collections import defaultdict

from lamina.layering.division import Bits, Division, Units
from lamina.layering.tree import Tree

# How many groups with one unit in common are compared with each other.
_ALIKE = 32


def resolve(division: Division, tree: Tree, *, budget: int, limit: int) -> None:
    """Take overlaps out of groups until no more than `limit` bytes are stored, or no room is left.

    Both groups of an overlap are split into what they have in common and what they have not, in
    all images that have them. The overlap of the most bytes comes first.
    """
    while division.stored > limit:
        before = division.stored
        for _, one, other in _overlaps(division, tree, budget):
            if division.stored <= limit:
                return
            _separate(division, tree, budget, (one, other))
        if division.stored == before:
            return


def _overlaps(division: Division, tree: Tree, budget: int) -> list[tuple[int, int, int]]:
    """Return the pairs of groups that could be separated, by what that saves, most first."""
    full = _full(division, tree, budget)
    # By their content: what is compared must not depend on when a group was made.
    ranked = sorted(
        division.groups(), key=lambda group: (-division.bytes[group], sorted(division.units[group]))
    )
    with_unit: defaultdict[int, list[int]] = defaultdict(list)
    for rank, group in enumerate(ranked):
        for unit in division.units[group]:
            with_unit[unit].append(rank)
    common: defaultdict[tuple[int, int], int] = defaultdict(int)
    for unit, ranks in with_unit.items():
        alike = ranks[:_ALIKE]
        movable = [rank for rank in alike if not division.holders[ranked[rank]] & full]
        for one in movable:
            for other in alike:
                # A pair of movable groups is met twice, and counted once.
                if one < other or (other < one and division.holders[ranked[other]] & full):
                    common[min(one, other), max(one, other)] += division.unit_size(unit)
    worst = sorted(common.items(), key=lambda item: (-item[1], item[0]))
    return [(saved, ranked[one], ranked[other]) for (one, other), saved in worst if saved]


def _separate(division: Division, tree: Tree, budget: int, groups: tuple[int, int]) -> None:
    """Separate two groups, unless one is gone already or an image would have too many layers."""
    if not all(division.holders[group] for group in groups):
        return
    common = division.units[groups[0]] & division.units[groups[1]]
    parts: list[tuple[Bits, int, Units]] = []
    for group in groups:
        if rest := division.units[group] - common:
            parts.append((division.holders[group], group, rest))
    changed = sum(images for images, _, _ in parts)  # no image has both groups
    own = division.own_layers()
    more = [layers + (changed >> image & 1) for image, layers in enumerate(own)]
    if max(tree.layers(more)) > budget:
        return
    for images, group, rest in parts:
        division.take(images, group)
        for units in (common, rest):
            division.give(images, units)


def _full(division: Division, tree: Tree, budget: int) -> Bits:
    """Return the images that cannot have one layer more."""
    room = tree.room(division.own_layers(), budget)
    return sum(1 << image for image, layers in enumerate(room) if layers < 1)
