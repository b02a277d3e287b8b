"""A failure costs what it must and no more: nothing bad is tagged, everything good stays."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from tests.whole.conftest import Fleet

pytestmark = pytest.mark.real

STEP = """
images:
  redis-base: {change: {steps: {append: ['echo about to fail; exit 7']}}}
  cron: {change: {labels: {append: {trial: failures}}}}
"""
PROOF = """
images:
  memcached:
    change:
      environment: {append: {COLOUR: green}}
      test: {append: [{run: [printenv, COLOUR], stdout: %s}]}
"""


def test_an_image_whose_test_fails_is_not_tagged_and_once_mended_only_tested(fleet: Fleet) -> None:
    before = fleet.manifests()
    fleet.write(PROOF % "red")

    done = fleet.lamina("build", "memcached", code=3)

    assert "memcached  test failed" in done.stdout
    assert "test 2, 'printenv COLOUR', printed nothing that matches 'red'" in done.stdout
    assert "green\n" in done.stderr  # the end of the log
    assert fleet.manifests() == before
    assert fleet.lamina("run", "memcached", "--", "printenv", "COLOUR", code=1).stdout == ""

    fleet.write(PROOF % "green")
    outcomes = fleet.build("memcached")

    assert outcomes["memcached"] == "tested"
    assert fleet.lamina("run", "memcached", "--", "printenv", "COLOUR").stdout == "green\n"
    assert fleet.build("memcached")["memcached"] == "unchanged"


def test_a_new_test_of_an_unchanged_image_runs_alone(fleet: Fleet) -> None:
    before = fleet.manifests()
    fleet.write("images: {cron: {change: {test: {append: [{run: ['false']}]}}}}")

    assert fleet.reasons("cron") == {"cron": ["not tested as the catalogue says now"]}
    assert fleet.build("cron", code=3) == {"base": "unchanged", "cron": "test failed"}
    assert fleet.manifests() == before
    assert fleet.build("cron", "--no-test")["cron"] == "unchanged"
    assert fleet.json("test", "cron", code=3)["counts"] == {"test failed": 1}


def test_a_failed_image_blocks_only_its_descendants(fleet: Fleet) -> None:
    before = fleet.manifests()
    fleet.write(STEP)

    done = fleet.lamina("build", "redis-base+", "cron", code=1)

    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line[:1].islower())
    assert rows["cron"].startswith("built")
    assert rows["redis-base"].startswith("failed")
    assert rows["redis-base"].endswith("step failed with exit code 7")
    blocked = ["blocked", "by", "redis-base"]
    assert rows["redis"].split() == rows["redis-sentinel"].split() == blocked
    assert "1 built, 1 unchanged, 1 failed, 2 blocked\n" in done.stdout
    # The end of the log on the terminal, all of it in the file.
    assert "about to fail\n" in done.stderr
    (log,) = (line.partition(": ")[2] for line in done.stdout.splitlines() if "log of" in line)
    assert "## step\nabout to fail\n" in Path(log).read_text()

    after = fleet.manifests()
    assert {image for image in before if before[image] != after[image]} == {"cron"}


def test_the_same_command_goes_on_where_the_failure_was(fleet: Fleet) -> None:
    fleet.write(STEP)
    done = fleet.lamina("build", "redis-base+", "cron", code=1)
    (hint,) = (line for line in done.stdout.splitlines() if line.startswith("to go on"))
    words = shlex.split(hint.split("`")[1])

    fleet.write(STEP.replace("exit 7", "true"))
    done = fleet.workshop.lamina(*words[1:], "--json")

    assert words[:2] == ["lamina", "build"]
    outcomes = {image["image"]: image["outcome"] for image in json.loads(done.stdout)["images"]}
    assert outcomes == {
        "base": "unchanged",
        "cron": "unchanged",
        "redis-base": "built",
        "redis": "unchanged",
        "redis-sentinel": "unchanged",
    }


def test_a_broken_catalogue_changes_nothing_and_shows_every_fault(fleet: Fleet) -> None:
    fleet.write("images:\n  one: {parent: bas}\n  two: {parent: base, packges: [x]}\n")

    told = fleet.lamina("build", code=2).stderr.splitlines()

    assert told == [
        "mine/infra/mine.yaml:2: the parent 'bas' of 'one' does not exist",
        "  did you mean 'base'?",
        "mine/infra/mine.yaml:3: unknown key 'packges'",
        "  did you mean 'packages'?",
    ]
