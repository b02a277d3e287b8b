"""What stays of a previous layering, and the groups of what it does not cover."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lamina.layering.division import Bits, Division, Units
from lamina.layering.values import Content, Layering


def keep(
    division: Division,
    contents: Sequence[Content],
    numbers: Sequence[dict[str, int]],
    previous: Layering,
) -> tuple[list[set[int]], Bits]:
    """Give each image the groups that it had and still can have, and others' that are new to it.

    `numbers` are the numbers of each image's units by their names. Returned are the units that
    each image has in no group so far, and the images for which nothing is new.
    """
    rest = [set(units.values()) for units in numbers]
    for image, content in enumerate(contents):
        for group in previous.images.get(content.image, ()):
            names = previous.groups[group]
            if all(name in numbers[image] for name in names):
                units = frozenset(numbers[image][name] for name in names)
                division.give(1 << image, units)
                rest[image] -= units
    with_unit = _by_unit(division)
    unchanged = 0
    for image, units_left in enumerate(rest):
        if not units_left:
            unchanged |= 1 << image
        _take_others(division, image, units_left, with_unit)
    return rest, unchanged


def group_fresh(division: Division, rest: Sequence[set[int]]) -> None:
    """Divide the units left in `rest`: those that are left in the same images share a group."""
    images: defaultdict[int, Bits] = defaultdict(int)
    for image, units in enumerate(rest):
        for unit in units:
            images[unit] |= 1 << image
    together: defaultdict[Bits, list[int]] = defaultdict(list)
    for unit in sorted(images):
        together[images[unit]].append(unit)
    for holders, alike in together.items():
        division.give(holders, frozenset(alike))


def _by_unit(division: Division) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for group in division.groups():
        for unit in division.units[group]:
            found[unit].append(group)
    return found


def _take_others(
    division: Division, image: int, left: set[int], with_unit: dict[int, list[int]]
) -> None:
    """Give the image existing groups that fit wholly into what is left, largest first."""
    fitting: dict[int, Units] = {
        group: division.units[group]
        for unit in left
        for group in with_unit.get(unit, ())
        if division.units[group] <= left
    }
    for _, units in sorted(
        fitting.items(), key=lambda item: (-division.bytes[item[0]], sorted(item[1]))
    ):
        if units <= left:
            division.give(1 << image, units)
            left -= units
