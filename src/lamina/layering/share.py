"""How an image's layers are shared out among its ancestors and itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lamina.layering.division import Bits
from lamina.layering.tree import Tree

# What no image splits a group for: room for the packages and descendants that are still to come.
_FREE = 4  # the fourth part of the budget


def quotas(tree: Tree, needs: Sequence[int], kept: Bits, budget: int) -> list[int]:
    """Return how many groups each image may have so that no image has too many layers.

    `needs` are the groups that the images would like to have. Along every chain all get what they
    need, up to a level that is the same for all. The images in `kept` get what they need first,
    unless that leaves too little for the others. Every chain must have room for one group in each
    image that needs any.
    """
    found = list(needs)
    for chain in tree.chains():
        room = budget - len(chain)
        firm = [image for image in chain if kept >> image & 1]
        others = [image for image in chain if not kept >> image & 1]
        left = room - sum(needs[image] for image in firm)
        if left < sum(1 for image in others if needs[image]):
            others, left = list(chain), room
        level = _level([needs[image] for image in others], left)
        for image in others:
            found[image] = min(found[image], level)
    return found


def allowances(tree: Tree, own: Sequence[int], budget: int) -> list[int]:
    """Return how many layers more each image may have for the sake of smaller ones.

    What is free along a chain, less a part that stays free, belongs to its images in equal shares.
    """
    target = budget - budget // _FREE
    layers = tree.layers(own)
    found = [budget] * len(own)
    for chain in tree.chains():
        share = max(0, target - layers[chain[-1]]) // len(chain)
        for image in chain:
            found[image] = min(found[image], share)
    return found


def _level(needs: Collection[int], room: int) -> int:
    """Return the level up to which every need can be met in `room`."""
    left = len(needs)
    for need in sorted(needs):
        if need * left > room:
            return room // left
        room -= need
        left -= 1
    return max(needs, default=0)
