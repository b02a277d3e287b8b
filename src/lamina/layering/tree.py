"""The tree of images, as far as layers are counted along it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lamina.layering.values import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Images by number, parents first: the number of each one's parent, None where it has none."""

    parents: tuple[int | None, ...]

    def chains(self) -> tuple[tuple[int, ...], ...]:
        """Return the way from a root to each image that has no children."""
        ways: list[tuple[int, ...]] = []
        for image, parent in enumerate(self.parents):
            ways.append((image,) if parent is None else (*ways[parent], image))
        inner = set(self.parents)
        return tuple(way for way in ways if way[-1] not in inner)

    def layers(self, own: Sequence[int]) -> list[int]:
        """Return how many layers each image has: all its ancestors' and its own."""
        totals: list[int] = []
        for image, parent in enumerate(self.parents):
            totals.append(own[image] + (0 if parent is None else totals[parent]))
        return totals

    def room(self, own: Sequence[int], budget: int) -> list[int]:
        """Return how many layers each image could have more before one below it has too many."""
        most = self.layers(own)
        for image in range(len(self.parents) - 1, -1, -1):
            parent = self.parents[image]
            if parent is not None:
                most[parent] = max(most[parent], most[image])
        return [budget - layers for layers in most]


def parents_first(contents: Collection[Content]) -> tuple[Content, ...]:
    """Return the images by their distance from their root, then by name.

    Raises `KeyError` for a parent that is none of them.
    """
    by_id = {content.image: content for content in contents}
    depths: dict[object, int] = {}
    for content in contents:
        way = [content]
        while way[-1].image not in depths and way[-1].parent is not None:
            way.append(by_id[way[-1].parent])
        for here in reversed(way):
            depths[here.image] = depths[here.parent] + 1 if here.parent else 0
    return tuple(sorted(contents, key=lambda one: (depths[one.image], str(one.image))))


def tree_of(ordered: Sequence[Content]) -> Tree:
    """Return the tree of images that stand parents first."""
    numbers = {content.image: number for number, content in enumerate(ordered)}
    return Tree(
        parents=tuple(numbers[one.parent] if one.parent else None for one in ordered),
    )
