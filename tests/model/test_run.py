"""The critical path of a run: what decided how long it took."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model.image import ImageId
from lamina.model.run import Run, Turn, critical_path


def turn(name: str, worker: int, began: float, ended: float, parent: str = "") -> Turn:
    return Turn(
        image=ImageId(name),
        parent=ImageId(parent) if parent else None,
        worker=worker,
        began=began,
        ended=ended,
        outcome="built",
    )


def path(*turns: Turn) -> list[str]:
    run = Run(started="2026-01-02T03:04:05Z", seconds=9.0, jobs=2, turns=turns)
    return [str(one.image) for one in critical_path(run)]


def test_a_run_without_turns_has_no_critical_path() -> None:
    assert path() == []


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param(
            (
                turn("base", 0, 0, 4),
                turn("cron", 0, 4, 5, "base"),
                turn("ceph", 1, 4, 8, "base"),
            ),
            ["base", "ceph"],
            id="a child waits for its parent",
        ),
        pytest.param(
            (
                turn("base", 0, 0, 1),
                turn("ceph", 0, 1, 6, "base"),
                turn("nova", 1, 1, 5, "base"),
                turn("cron", 1, 5, 7, "base"),
            ),
            ["base", "nova", "cron"],
            id="an image waits for a worker",
        ),
        pytest.param(
            (
                turn("base", 0, 0, 2),
                turn("other", 1, 0, 1),
                turn("cron", 1, 2, 3, "base"),
            ),
            ["base", "cron"],
            id="of a parent and a worker, the one that ended later counts",
        ),
        pytest.param(
            (turn("base", 0, 0, 1), turn("other", 1, 0, 1), turn("cron", 1, 1, 2, "base")),
            ["base", "cron"],
            id="the parent counts where both ended at once",
        ),
        pytest.param(
            (turn("cron", 0, 1, 3, "base"),),
            ["cron"],
            id="a parent that had no turn is not waited for",
        ),
        pytest.param(
            (turn("parent", 0, 1, 1), turn("a-child", 0, 1, 1, "parent")),
            ["parent", "a-child"],
            id="turns without length end",
        ),
    ],
)
def test_the_critical_path_is_the_chain_that_ended_last(
    turns: tuple[Turn, ...], expected: list[str]
) -> None:
    assert path(*turns) == expected


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Any turns at all, in order of their beginning, even such as no scheduler makes."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True))
    turns = []
    for name in names:
        began = draw(st.integers(0, 5))
        turns.append(
            turn(
                name,
                draw(st.integers(0, 2)),
                began,
                began + draw(st.integers(0, 5)),
                draw(st.sampled_from(["", *"abcdefgh"])),
            )
        )
    turns.sort(key=lambda one: one.began)
    return Run(started="2026-01-02T03:04:05Z", seconds=10.0, jobs=3, turns=tuple(turns))


@given(runs())
def test_every_run_has_a_path_to_what_ended_last(run: Run) -> None:
    chain = critical_path(run)

    assert len(set(chain)) == len(chain)
    assert bool(chain) == bool(run.turns)
    if chain:
        assert chain[-1].ended == max(one.ended for one in run.turns)
        for before, after in pairwise(chain):
            assert before.worker == after.worker or before.image == after.parent
            assert before.began <= after.began
