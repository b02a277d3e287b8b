"""Several lamina processes on one store: each image is built once, and all of them succeed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from tests.faults.bench import IMAGES, Bench, Told, end_of

from lamina.model.digest import Digest

pytestmark = pytest.mark.real

Manifests = Mapping[str, Digest]


def built_at_once(bench: Bench, *selections: Sequence[str]) -> Counter[str]:
    """Build the selections at the same time; return how often each image was built."""
    processes = [bench.start("build", *names, "--json") for names in selections]
    told: list[Told] = [end_of(process) for process in processes]
    assert [one.code for one in told] == [0] * len(told), "\n".join(one.text for one in told)
    return Counter(
        image for one in told for image, outcome in one.outcomes().items() if outcome == "built"
    )


def test_two_builds_of_the_same_images_build_each_once(bench: Bench, manifests: Manifests) -> None:
    bench.forget(*reversed(IMAGES))
    assert built_at_once(bench, IMAGES, IMAGES) == Counter(IMAGES)
    bench.assert_mended(manifests)


def test_two_builds_of_different_images_build_their_parent_once(
    bench: Bench, manifests: Manifests
) -> None:
    bench.forget(*reversed(IMAGES), "base")
    counts = built_at_once(bench, ["cron", "redis"], ["memcached"])
    assert counts == Counter(("base", *IMAGES))
    bench.assert_mended(manifests)


def test_two_builds_that_find_the_same_damage_both_succeed(
    bench: Bench, manifests: Manifests
) -> None:
    units = [bench.unit("cron", unit.name) for unit in bench.built()["cron"].units]
    bench.forget("redis", "memcached")
    bench.store.discard(bench.store.records.path(bench.built()["cron"].key))
    for unit in units:
        (bench.store.unit_path(unit) / "unit.json").touch()
    (bench.store.delta_path(manifests["redis-base"]) / "var/lib/dpkg/status").touch()
    built_at_once(bench, IMAGES, IMAGES)
    bench.assert_mended(manifests)
