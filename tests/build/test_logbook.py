"""The logbook of a build: turns in the order in which they began, steps in words."""

from __future__ import annotations

import re

from lamina.build.logbook import Logbook
from lamina.model.image import ImageId

BASE, CRON, NOVA = ImageId("base"), ImageId("cron"), ImageId("nova")


def test_a_run_has_the_turns_in_the_order_in_which_they_began() -> None:
    logbook = Logbook(2)
    logbook.begin(BASE, None, worker=0)
    logbook.begin(NOVA, BASE, worker=1)
    logbook.begin(CRON, BASE, worker=0)
    for image in (CRON, NOVA, BASE):
        logbook.end(image, "built")

    run = logbook.close()

    assert [(one.image, one.parent, one.worker) for one in run.turns] == [
        (BASE, None, 0),
        (NOVA, BASE, 1),
        (CRON, BASE, 0),
    ]
    assert run.jobs == 2
    assert all(0 <= one.began <= one.ended <= run.seconds for one in run.turns)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", run.started)


def test_a_turn_that_is_not_over_is_not_in_the_run() -> None:
    logbook = Logbook(1)
    logbook.begin(BASE, None, worker=0)
    logbook.begin(CRON, BASE, worker=0)
    logbook.end(BASE, "failed")

    assert [(one.image, one.outcome) for one in logbook.close().turns] == [(BASE, "failed")]


def test_steps_of_one_sort_in_a_row_are_one() -> None:
    logbook = Logbook(1)
    logbook.begin(BASE, None, worker=0)
    for title in ("unpack a b c", "unpack d", "configure a", "unpack e", "layers"):
        logbook.step(BASE, title)

    turn = logbook.end(BASE, "built")

    assert [step.name for step in turn.steps] == ["unpack", "configure", "unpack", "layers"]
    times = [turn.began, *(step.began for step in turn.steps), turn.ended]
    assert times == sorted(times)
