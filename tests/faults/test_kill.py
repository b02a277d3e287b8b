"""Lamina killed in the middle of a build, again and again: nothing is lost, and nothing is left."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping

import pytest
from tests.faults.bench import IMAGES, Bench, Moments, end_of, wait_until

from lamina.model.digest import Digest

pytestmark = pytest.mark.real

MOMENTS: dict[str, Callable[[Moments], Callable[[], bool]]] = {
    "units": lambda moments: moments.units(),
    "configure": lambda moments: moments.configure("cron"),
    "layers": lambda moments: moments.layers(),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_kill_costs_nothing_that_was_finished(
    bench: Bench,
    manifests: Mapping[str, Digest],
    moment: Callable[[Moments], Callable[[], bool]],
) -> None:
    bench.forget("memcached", "cron")
    reached = moment(Moments(bench=bench))
    process = bench.start("build", *IMAGES)
    wait_until(reached, process)
    process.kill()
    assert end_of(process).code == -signal.SIGKILL
    bench.assert_mended(manifests)


def test_kills_at_any_moment_cost_nothing(bench: Bench, manifests: Mapping[str, Digest]) -> None:
    bench.forget("redis", "redis-base", "memcached", "cron")
    chance = random.Random(42)
    for _ in range(4):
        process = bench.start("build", *IMAGES)
        time.sleep(chance.uniform(0.3, 4))
        process.kill()
        end_of(process)
        bench.assert_nothing_is_left()
    bench.assert_mended(manifests)
