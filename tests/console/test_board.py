from __future__ import annotations

from collections.abc import Mapping

from lamina.console.board import Board, advanced, time_left
from lamina.model.event import (
    Downloaded,
    Event,
    ImageDone,
    ImageStarted,
    ImageStep,
    Outcome,
    Planned,
)
from lamina.model.image import ImageId
from lamina.model.plan import Plan, PlanStep

BASE, CRON, REDIS, KEPT = ImageId("base"), ImageId("cron"), ImageId("redis"), ImageId("kept")


def planned(expected: Mapping[ImageId, float] | None = None, jobs: int = 2) -> Planned:
    """base and its children cron and redis are to be built, one image is kept."""
    steps = [
        *(PlanStep(image=image, action="build", reasons=("new",)) for image in (BASE, CRON, REDIS)),
        PlanStep(image=KEPT, action="keep", reasons=("unchanged",)),
    ]
    return Planned(
        plan=Plan(steps=tuple(steps)),
        parents={BASE: None, CRON: BASE, REDIS: BASE, KEPT: None},
        expected=expected or {},
        jobs=jobs,
    )


def done(image: ImageId, outcome: Outcome = "built", seconds: float = 1.0) -> ImageDone:
    return ImageDone(image=image, outcome=outcome, seconds=seconds)


def after(*events: Event, now: float = 0.0) -> Board:
    board = Board()
    for event in events:
        board = advanced(board, event, now)
    return board


def test_what_the_plan_builds_waits_and_what_it_keeps_is_unchanged() -> None:
    board = after(planned())

    assert board.waiting == (BASE, CRON, REDIS)
    assert (board.count("built"), board.count("unchanged")) == (0, 1)


def test_an_image_goes_from_waiting_to_running_to_done() -> None:
    started = after(planned(), ImageStarted(image=BASE, expected=4.0), now=10.0)

    assert started.waiting == (CRON, REDIS)
    assert started.running[BASE].begun == 10.0

    configuring = advanced(started, ImageStep(image=BASE, step="configure"), 11.0)

    assert (configuring.running[BASE].step, configuring.running[BASE].begun) == ("configure", 10.0)

    finished = advanced(configuring, done(BASE), 14.0)

    assert (dict(finished.running), finished.count("built")) == ({}, 1)


def test_a_blocked_image_waits_no_more() -> None:
    board = after(planned(), done(BASE, "failed"), done(CRON, "blocked", 0.0))

    assert board.waiting == (REDIS,)
    assert (board.count("failed"), board.count("blocked")) == (1, 1)


def test_an_image_that_is_kept_twice_counts_once() -> None:
    assert after(planned(), done(KEPT, "unchanged", 0.0)).count("unchanged") == 1


def test_downloads_are_remembered() -> None:
    assert after(Downloaded(done=1, total=5)).downloaded == Downloaded(done=1, total=5)


def test_nothing_is_known_of_the_time_before_anything_was_ever_built() -> None:
    assert time_left(after(planned()), 0.0) is None


def test_the_time_left_is_that_of_the_longest_chain() -> None:
    board = after(planned({BASE: 10.0, CRON: 1.0, REDIS: 7.0}))

    assert time_left(board, 0.0) == 17.0


def test_the_time_left_is_no_less_than_the_work_over_the_jobs() -> None:
    board = after(planned({BASE: 10.0, CRON: 6.0, REDIS: 7.0}, jobs=1))

    assert time_left(board, 0.0) == 23.0


def test_the_time_left_shrinks_while_an_image_runs_and_never_below_nothing() -> None:
    board = after(
        planned({BASE: 10.0, CRON: 1.0, REDIS: 7.0}),
        ImageStarted(image=BASE, expected=10.0),
        now=100.0,
    )

    assert time_left(board, 104.0) == 13.0
    assert time_left(board, 150.0) == 7.0


def test_an_image_that_was_never_built_is_taken_for_a_usual_one() -> None:
    board = after(planned({CRON: 2.0, REDIS: 4.0}))

    # base lasts as long as the median, 3 s, and then redis follows.
    assert time_left(board, 0.0) == 7.0


def test_when_all_is_done_no_time_is_left() -> None:
    board = after(planned(), done(BASE), done(CRON), done(REDIS))

    assert time_left(board, 0.0) == 0.0
