from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from lamina.build.schedule import (
    SECONDS_PER_IMAGE,
    SECONDS_PER_UNIT,
    estimate,
    ready,
    remaining,
)
from lamina.model.image import ImageId

Parents = dict[ImageId, ImageId | None]

A, B, C, D, E = map(ImageId, "ABCDE")
OUTSIDE = ImageId("outside")


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Parents, dict[ImageId, float]]:
    """Draw a forest, parents before children, and how long each image takes."""
    parents: Parents = {}
    for number in range(draw(st.integers(0, 12))):
        above = st.sampled_from([None, OUTSIDE, *parents])
        parents[ImageId(f"image-{number}")] = draw(above)
    seconds = {image: float(draw(st.integers(0, 50))) for image in parents}
    return parents, seconds


def longest_by_walking(image: ImageId, parents: Parents, seconds: Mapping[ImageId, float]) -> float:
    """Return the longest line below an image by going along every one of them."""
    children = [child for child, parent in parents.items() if parent == image]
    return seconds[image] + max(
        (longest_by_walking(child, parents, seconds) for child in children), default=0.0
    )


@given(fleets())
def test_what_remains_is_the_longest_line_of_descendants(
    fleet: tuple[Parents, dict[ImageId, float]],
) -> None:
    parents, seconds = fleet
    assert remaining(parents, seconds) == {
        image: longest_by_walking(image, parents, seconds) for image in parents
    }


@given(fleets(), st.data())
def test_what_is_ready_stands_on_what_is_finished(
    fleet: tuple[Parents, dict[ImageId, float]], data: st.DataObject
) -> None:
    parents, seconds = fleet
    finished = {image for image in parents if data.draw(st.booleans())}
    waiting = [image for image in parents if image not in finished]
    chains = remaining(parents, seconds)
    found = ready(parents, waiting, finished, chains)
    assert set(found) == {
        image
        for image in waiting
        if parents[image] is None or parents[image] in finished or parents[image] == OUTSIDE
    }
    assert [chains[image] for image in found] == sorted(
        (chains[image] for image in found), reverse=True
    )


@given(fleets())
def test_starting_what_is_ready_builds_everything(
    fleet: tuple[Parents, dict[ImageId, float]],
) -> None:
    parents, seconds = fleet
    chains = remaining(parents, seconds)
    finished: list[ImageId] = []
    while len(finished) < len(parents):
        waiting = [image for image in parents if image not in finished]
        finished.append(ready(parents, waiting, finished, chains)[0])
    for image, parent in parents.items():
        assert parent in (None, OUTSIDE) or finished.index(parent) < finished.index(image)


def test_the_longest_chain_starts_first() -> None:
    parents: Parents = {A: None, B: None, C: A, D: C, E: None}
    seconds = {A: 1.0, B: 5.0, C: 2.0, D: 4.0, E: 5.0}
    chains = remaining(parents, seconds)
    assert chains == {A: 7.0, B: 5.0, C: 6.0, D: 4.0, E: 5.0}
    assert ready(parents, [B, E, A, C, D], [], chains) == [A, B, E]


def test_equal_chains_start_by_name() -> None:
    parents: Parents = {C: None, A: None, B: None}
    chains = remaining(parents, dict.fromkeys(parents, 1.0))
    assert ready(parents, [C, B, A], [], chains) == [A, B, C]


def test_a_measured_time_counts_before_a_guess() -> None:
    assert estimate(1000, 2.5) == 2.5
    assert estimate(1000, 0.0) == 0.0
    assert estimate(0, None) == SECONDS_PER_IMAGE
    assert estimate(10, None) == SECONDS_PER_IMAGE + 10 * SECONDS_PER_UNIT
