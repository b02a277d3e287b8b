"""The geometry of a treemap: nothing is lost, nothing overlaps, little is long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.storage.page.squares import Box, squarify

WEIGHTS = st.lists(st.integers(1, 10**12), max_size=60).map(lambda ws: sorted(ws, reverse=True))
SIDES = st.floats(1.0, 2000.0)


def test_the_example_of_the_paper_comes_out_as_in_the_paper() -> None:
    boxes = squarify([6, 6, 4, 3, 2, 2, 1], Box(x=0.0, y=0.0, width=6.0, height=4.0))

    assert [(round(b.width, 2), round(b.height, 2)) for b in boxes] == [
        (3.0, 2.0),
        (3.0, 2.0),
        (1.71, 2.33),
        (1.29, 2.33),
        (1.2, 1.67),
        (1.2, 1.67),
        (0.6, 1.67),
    ]


def test_nothing_is_divided_into_nothing() -> None:
    assert squarify([], Box(x=0.0, y=0.0, width=6.0, height=4.0)) == ()


@given(WEIGHTS, SIDES, SIDES)
def test_every_weight_has_its_part_of_the_room(
    weights: list[int], width: float, height: float
) -> None:
    room = Box(x=0.0, y=0.0, width=width, height=height)

    boxes = squarify(weights, room)

    assert len(boxes) == len(weights)
    for weight, box in zip(weights, boxes, strict=True):
        assert box.area == pytest.approx(
            room.area * weight / sum(weights), rel=1e-6, abs=room.area * 1e-9
        )
        assert box.x >= -1e-9
        assert box.y >= -1e-9
        assert box.x + box.width <= width * (1 + 1e-9)
        assert box.y + box.height <= height * (1 + 1e-9)


@given(WEIGHTS, SIDES, SIDES)
def test_no_two_boxes_overlap(weights: list[int], width: float, height: float) -> None:
    boxes = squarify(weights, Box(x=0.0, y=0.0, width=width, height=height))

    slack = 1e-6 * max(width, height)
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert min(across, down) <= slack


@given(st.integers(1, 200))
def test_equal_weights_make_boxes_that_are_nearly_square(count: int) -> None:
    boxes = squarify([7] * count, Box(x=0.0, y=0.0, width=100.0, height=100.0))

    assert all(1 / 3 <= box.width / box.height <= 3 for box in boxes)
