"""Mirrors that misbehave: told with address and remedy, and no fault of other images."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pytest
from tests.faults.bench import IMAGES, Bench
from tests.faults.mirror import Answer, address, dribbled
from tests.fetch.mirror import Mirror, status, truncated, whole

from lamina.model.digest import Digest

pytestmark = pytest.mark.real

Manifests = Mapping[str, Digest]


def lose(bench: Bench, image: str, name: str) -> tuple[str, bytes]:
    """Take an image and one of its packages away; return the package's address and content."""
    (unit,) = (unit for unit in bench.built()[image].units if unit.name == name)
    package = bench.store.download_path(unit.digest)
    content = package.read_bytes()
    package.unlink()
    return address(unit), content


FAULTS: dict[str, tuple[Callable[[bytes], Answer], str, str]] = {
    "404": (
        lambda _: lambda handler, _turn: status(handler, 404),
        "the mirror answered 404",
        "run lamina lock --update",
    ),
    "500": (
        lambda _: lambda handler, _turn: status(handler, 500),
        "the mirror answered 500",
        "check the network and [mirrors] in lamina.toml",
    ),
    "cut off": (
        lambda content: lambda handler, _turn: truncated(handler, content, 100),
        "peer closed connection",
        "check the network and [mirrors] in lamina.toml",
    ),
    "garbage": (
        lambda content: lambda handler, _turn: whole(handler, bytes(len(content))),
        "expected sha256:",
        "use another mirror",
    ),
}


def test_what_a_mirror_does_wrong_is_told_and_stops_no_other_image(
    bench: Bench, mirror: Mirror, manifests: Manifests
) -> None:
    lost = {
        "404": ("cron", "cron"),
        "500": ("cron", "cron-daemon-common"),
        "cut off": ("memcached", "libevent-2.1-7t64"),
        "garbage": ("memcached", "memcached"),
    }
    right = dict(mirror.answers)
    addresses = {}
    for fault, (image, package) in lost.items():
        addresses[fault], content = lose(bench, image, package)
        mirror.answers[addresses[fault]] = FAULTS[fault][0](content)
    bench.forget("cron", "memcached", "redis", "redis-base")
    told = bench.lamina("build", *IMAGES, "--json", code=4)
    assert told.outcomes() == {
        "base": "unchanged",
        "cron": "not fetched",
        "memcached": "not fetched",
        "redis-base": "built",
        "redis": "built",
    }
    for fault, (_, message, remedy) in FAULTS.items():
        assert f"{mirror.url}{addresses[fault]}: {message}" in told.out, fault
        assert remedy in told.out, fault
    mirror.answers = right
    bench.assert_mended(manifests)


def test_a_parent_that_cannot_be_fetched_blocks_its_children_only(
    bench: Bench, mirror: Mirror, manifests: Manifests
) -> None:
    place, content = lose(bench, "redis-base", "liblzf1")
    bench.forget("redis", "redis-base", "cron")
    right = mirror.answers[place]
    mirror.answers[place] = FAULTS["404"][0](content)
    told = bench.lamina("build", *IMAGES, code=4)
    assert "redis-base: not fetched" in told.err
    assert f"{mirror.url}{place}: the mirror answered 404" in told.err
    assert "redis: blocked: by redis-base" in told.err
    assert "cron: built" in told.err
    mirror.answers[place] = right
    bench.assert_mended(manifests)


def test_a_slow_mirror_is_waited_for(bench: Bench, mirror: Mirror, manifests: Manifests) -> None:
    place, content = lose(bench, "cron", "cron")
    bench.forget("cron")
    mirror.answers[place] = lambda handler, _: dribbled(handler, content, pieces=20, pause=0.1)
    bench.assert_mended(manifests)


def test_a_dead_mirror_is_given_up_soon(bench: Bench, mirror: Mirror) -> None:
    for package in bench.store.downloads.iterdir():
        package.unlink()
    bench.forget("base")
    for place in mirror.answers:
        mirror.answers[place] = lambda handler, _: status(handler, 503)
    began = time.monotonic()
    told = bench.lamina("build", "cron", code=4)
    assert time.monotonic() - began < 60
    assert "base: not fetched" in told.err
    assert "the mirror answered 503" in told.err
    assert "more packages could not be fetched" in told.err
    assert len({path for path, _ in mirror.requests}) < 20
