"""A change of the catalogue rebuilds the images that it must, for the reasons that it says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.conftest import SMALL
from tests.whole.conftest import Fleet

pytestmark = pytest.mark.real

REDIS = ("redis-base", "redis", "redis-sentinel")


def built(outcomes: Mapping[str, str]) -> set[str]:
    return {image for image, outcome in outcomes.items() if outcome == "built"}


def test_a_variable_that_children_inherit_rebuilds_them_too(fleet: Fleet) -> None:
    fleet.write("images: {redis-base: {change: {environment: {append: {COLOUR: green}}}}}")

    entry, parent = "catalogue entry changed", "parent redis-base is built first"
    assert fleet.reasons(*SMALL) == {
        "redis-base": [entry],
        "redis": [entry, parent],
        "redis-sentinel": [entry, parent],
    }
    outcomes = fleet.build(*SMALL)

    assert built(outcomes) == set(REDIS)
    assert fleet.lamina("run", "redis", "--", "printenv", "COLOUR").stdout == "green\n"
    assert fleet.reasons(*SMALL) == {}


def test_a_new_file_rebuilds_the_image_and_what_stands_on_it(fleet: Fleet) -> None:
    (fleet.catalog / "files").mkdir(parents=True)
    (fleet.catalog / "files" / "motd").write_text("hello\n")
    fleet.write(
        "images: {redis-base: {change: {files: {append: "
        "[{source: motd, path: /etc/motd, mode: '0640', group: redis}]}}}}"
    )

    parent = ["parent redis-base is built first"]
    assert fleet.reasons(*SMALL) == {
        "redis-base": ["file /etc/motd changed"],
        "redis": parent,
        "redis-sentinel": parent,
    }
    assert built(fleet.build(*SMALL)) == set(REDIS)

    shown = fleet.lamina("run", "redis", "--", "stat", "-c", "%a %U:%G %s", "/etc/motd").stdout
    assert shown == "640 root:redis 6\n"
    # The content counts, not when the file was written.
    (fleet.catalog / "files" / "motd").write_text("hello\n")
    assert fleet.reasons(*SMALL) == {}


def test_a_new_package_rebuilds_the_image_and_what_stands_on_it(fleet: Fleet) -> None:
    fleet.write("images: {redis-base: {change: {packages: {debian: {append: [bc]}}}}}")
    fleet.lamina("lock")

    parent = ["parent redis-base is built first"]
    assert fleet.reasons(*SMALL) == {
        "redis-base": ["package bc added"],
        "redis": parent,
        "redis-sentinel": parent,
    }
    assert built(fleet.build(*SMALL)) == set(REDIS)

    done = fleet.lamina("run", "redis-sentinel", "--", "sh", "-c", "echo 6*7 | bc")
    assert done.stdout == "42\n"


def test_a_base_that_comes_out_the_same_keeps_its_children(fleet: Fleet) -> None:
    before = fleet.manifests()
    fleet.write("images: {base: {change: {steps: {append: ['true']}}}}")

    reasons = dict(fleet.reasons(*SMALL))
    assert reasons.pop("base") == ["catalogue entry changed"]
    assert set(reasons) == set(before) - {"base"}
    assert {tuple(why) for why in reasons.values()} == {
        ("parent base is built first",),
        ("parent redis-base is built first",),
    }
    outcomes = fleet.build(*SMALL)

    assert built(outcomes) == {"base"}
    assert {outcomes[image] for image in reasons} == {"unchanged"}
    assert fleet.manifests() == before
    assert fleet.reasons(*SMALL) == {}


def test_going_back_to_what_was_built_before_builds_nothing(fleet: Fleet) -> None:
    before = fleet.manifests()
    fleet.write("images: {cron: {change: {labels: {append: {trial: back}}}}}")
    assert fleet.build("cron")["cron"] == "built"
    assert fleet.manifests()["cron"] != before["cron"]

    fleet.write("images: {}")

    assert fleet.build("cron")["cron"] == "unchanged"
    assert fleet.manifests() == before


def test_an_image_of_ones_own_is_locked_built_and_tested(fleet: Fleet) -> None:
    fleet.write(
        "images: {hello: {parent: cron, packages: [bc], "
        "test: [{run: [bc, --version], stdout: '^bc '}]}}"
    )
    fleet.lamina("lock")

    outcomes = fleet.build("hello")

    assert outcomes == {"base": "unchanged", "cron": "unchanged", "hello": "built"}
    assert [entry["parent"] for entry in fleet.json("list", "hello")] == ["cron"]
