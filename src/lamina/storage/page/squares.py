"""A treemap's geometry: a box divided by weights into parts that are as square as can be.

Source: Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """How much room it has."""
        return self.width * self.height


def squarify(weights: Sequence[int], box: Box) -> tuple[Box, ...]:
    """Return a box for each weight, together all of `box`; each area is in proportion.

    Weights are positive and come largest first, or the boxes get long; as integers they add up
    exactly.
    """
    boxes: list[Box] = []
    free = box
    start = 0
    left = sum(weights)
    while start < len(weights):
        scale = free.area / left
        side = min(free.width, free.height)
        end = _row_end(weights, start, side, scale)
        row = weights[start:end]
        # The last row takes what is left, whatever rounding made of it.
        share = 1.0 if end == len(weights) else sum(row) / left
        boxes += _row(row, share, free)
        free = _rest(share, free)
        left -= sum(row)
        start = end
    return tuple(boxes)


def _row_end(weights: Sequence[int], start: int, side: float, scale: float) -> int:
    """Return where the row ends that begins at `start`: before its worst box would get longer."""
    end = start + 1
    total = weights[start]
    worst = _worst(weights[start], weights[start], total, side, scale)
    while end < len(weights):
        longer = total + weights[end]
        next_worst = _worst(weights[start], weights[end], longer, side, scale)
        if next_worst > worst:
            break
        total, worst, end = longer, next_worst, end + 1
    return end


def _worst(largest: float, smallest: float, total: float, side: float, scale: float) -> float:
    """Return the ratio of the sides of a row's longest box."""
    depth = total * scale / side
    return max(largest * scale / depth**2, depth**2 / (smallest * scale))


def _row(weights: Sequence[int], share: float, free: Box) -> list[Box]:
    """Return the boxes of a row that lies along the shorter side and takes `share` of the room."""
    total = sum(weights)
    boxes = []
    offset = 0.0
    for weight in weights:
        part = weight / total
        if free.width >= free.height:
            width, height = free.width * share, free.height * part
            boxes.append(Box(x=free.x, y=free.y + offset, width=width, height=height))
            offset += height
        else:
            width, height = free.width * part, free.height * share
            boxes.append(Box(x=free.x + offset, y=free.y, width=width, height=height))
            offset += width
    return boxes


def _rest(share: float, free: Box) -> Box:
    """Return the room that a row leaves."""
    if free.width >= free.height:
        taken = free.width * share
        return Box(x=free.x + taken, y=free.y, width=free.width - taken, height=free.height)
    taken = free.height * share
    return Box(x=free.x, y=free.y + taken, width=free.width, height=free.height - taken)
