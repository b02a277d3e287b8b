"""Large groups taken apart where layers are to spare, so that an update resends little."""

from __future__ import annotations

from collections.abc import Collection
from heapq import heapify, heappop, heappush
from itertools import accumulate

from lamina.layering.division import Division, Units, members

_LARGE = 1 << 20  # bytes; a smaller group is resent in no time


def split(division: Division, candidates: Collection[int], allowances: list[int]) -> None:
    """Split the candidates, the worst first, while all images that have one may have one more.

    `allowances` are the layers that each image may have more; they are used up.
    What a group costs is the number of its units, each of which may be updated, times the bytes
    that are then resent.
    """
    waiting = [_entry(division, group) for group in candidates]
    heapify(waiting)
    while waiting:
        _, group = heappop(waiting)
        images = division.holders[group]
        if division.bytes[group] <= _LARGE or len(division.units[group]) == 1:
            continue
        if not all(allowances[image] for image in members(images)):
            continue
        large, small = _halves(division, division.units[group])
        division.take(images, group)
        for image in members(images):
            allowances[image] -= 1
        for part in (large, small):
            heappush(waiting, _entry(division, division.give(images, part)))


def _entry(division: Division, group: int) -> tuple[int, int]:
    return -len(division.units[group]) * division.bytes[group], group


def _halves(division: Division, units: Units) -> tuple[Units, Units]:
    """Return the large units and the small ones, cut where both together cost least."""
    ordered = sorted(units, key=lambda unit: (-division.unit_size(unit), unit))
    total = division.size(units)
    costs = [
        count * size + (len(ordered) - count) * (total - size)
        for count, size in enumerate(accumulate(map(division.unit_size, ordered)), start=1)
    ]
    cut = min(range(1, len(ordered)), key=lambda count: costs[count - 1])
    return frozenset(ordered[:cut]), frozenset(ordered[cut:])
