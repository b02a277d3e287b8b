"""Which groups of units there are, and which images have each: what the decision works on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Units = frozenset[int]  # by number
Bits = int  # a set of images: bit n stands for image n


def members(bits: Bits) -> Iterator[int]:
    """Yield the numbers in a set of images, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


class Division:
    """The units of every image divided into groups.

    A group has the number that it got when it was first made, and keeps it; one that no image has
    any more counts for nothing.
    """

    def __init__(self, sizes: Sequence[int], images: int) -> None:
        """Start without groups; `sizes` are the bytes of the units, `images` how many there are."""
        self.units: list[Units] = []
        self.bytes: list[int] = []
        self.holders: list[Bits] = []
        self.of_image: list[set[int]] = [set() for _ in range(images)]
        self.stored = 0  # bytes of all groups
        self._sizes = sizes
        self._numbers: dict[Units, int] = {}

    def groups(self) -> list[int]:
        """Return the groups that some image has."""
        return [group for group, holders in enumerate(self.holders) if holders]

    def own_layers(self) -> list[int]:
        """Return how many layers each image has of its own: a group each, and the delta."""
        return [len(groups) + 1 for groups in self.of_image]

    def size(self, units: Iterable[int]) -> int:
        """Return the bytes of these units."""
        return sum(self._sizes[unit] for unit in units)

    def unit_size(self, unit: int) -> int:
        """Return the bytes of a unit."""
        return self._sizes[unit]

    def give(self, images: Bits, units: Units) -> int:
        """Give the images a group of these units; return its number."""
        group = self._numbers.setdefault(units, len(self.units))
        if group == len(self.units):
            self.units.append(units)
            self.bytes.append(self.size(units))
            self.holders.append(0)
        if images and not self.holders[group]:
            self.stored += self.bytes[group]
        self.holders[group] |= images
        for image in members(images):
            self.of_image[image].add(group)
        return group

    def take(self, images: Bits, group: int) -> None:
        """Take a group from images that have it."""
        self.holders[group] &= ~images
        if images and not self.holders[group]:
            self.stored -= self.bytes[group]
        for image in members(images):
            self.of_image[image].remove(group)
