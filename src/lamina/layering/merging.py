"""Groups united until every image is within its quota, at the cost of the fewest bytes."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import islice

from lamina.layering.division import Bits, Division, members

# How many of an image's smallest groups are compared with each other at a time.
_POOL = 40
# In how many images a new group is compared with the others of the image.
_LOOKED_AT = 60


def merge(division: Division, quotas: Sequence[int], free: Bits) -> None:
    """Unite groups where an image has more of them than its quota, which must not be zero.

    Two groups are united in all images that have both, as far as these are in `free` or have too
    many themselves; where only one of the two is there, it stays, and its bytes are stored twice.
    """
    _Pressure(division, quotas, free).relieve()


class _Pressure:
    """The images that have too many groups, and the pairs of their groups that could be one."""

    def __init__(self, division: Division, quotas: Sequence[int], free: Bits) -> None:
        self._division = division
        self._quotas = quotas
        counts = map(len, division.of_image)
        over = [n for n, count in enumerate(counts) if count > quotas[n]]
        self._over = sum(1 << image for image in over)
        self._free = free | self._over
        self._waiting: dict[int, list[int]] = {}
        self._pools: dict[int, set[int]] = {}
        self._pairs: list[tuple[float, int, int, int]] = []

    def relieve(self) -> None:
        """Unite the cheapest pair, as long as an image has too many groups."""
        while self._over:
            if not self._pairs:
                self._open_all()
            cost, added, one, other = heappop(self._pairs)
            if not self._division.holders[one] & self._division.holders[other] & self._over:
                continue
            now = self._cost(one, other)
            if now > (cost, added):
                heappush(self._pairs, (*now, one, other))
            else:
                self._unite(one, other)

    def _open_all(self) -> None:
        """Compare the smallest groups of every image that has too many."""
        bytes_ = self._division.bytes
        pairs = set()
        for image in members(self._over):
            mine = self._division.of_image[image]
            self._waiting[image] = sorted(mine, key=lambda group: (-bytes_[group], group))
            self._pools[image] = set()
            pairs |= self._opened(image)
        self._pairs = [(*self._cost(*pair), *pair) for pair in sorted(pairs)]
        heapify(self._pairs)

    def _cost(self, one: int, other: int) -> tuple[float, int]:
        """Return the bytes that a union adds for each image that it relieves, and in all."""
        bytes_, holders = self._division.bytes, self._division.holders
        both = holders[one] & holders[other] & self._free
        added = bytes_[one] if holders[one] & ~both else 0
        added += bytes_[other] if holders[other] & ~both else 0
        return added / (both & self._over).bit_count(), added

    def _unite(self, one: int, other: int) -> None:
        division = self._division
        both = division.holders[one] & division.holders[other] & self._free
        for group in (one, other):
            division.take(both, group)
        union = division.give(both, division.units[one] | division.units[other])
        relieved = both & self._over
        for image in members(relieved):
            if len(division.of_image[image]) <= self._quotas[image]:
                self._over &= ~(1 << image)
        pairs: set[tuple[int, int]] = set()
        for image in islice(members(relieved & self._over), _LOOKED_AT):
            pool = self._pools[image]
            pool &= division.of_image[image]
            pairs |= {(group, union) for group in pool if group != union}
            pool.add(union)
            pairs |= self._opened(image)
        for pair in sorted(pairs):
            heappush(self._pairs, (*self._cost(*pair), *pair))

    def _opened(self, image: int) -> set[tuple[int, int]]:
        """Fill an image's pool with its next groups; return their pairs with all others of it."""
        pool, waiting = self._pools[image], self._waiting[image]
        mine = self._division.of_image[image]
        pairs = set()
        while waiting and len(pool) < _POOL:
            group = waiting.pop()
            if group in mine:
                pairs |= {(min(group, other), max(group, other)) for other in pool}
                pool.add(group)
        return pairs
