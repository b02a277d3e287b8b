"""Real builds: `lamina diff` shows exactly what a change of the catalogue made of an image."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Workshop

pytestmark = pytest.mark.real

# What `dpkg` and the image's own tools write of themselves when a package comes.
DPKG = ("/var/lib/dpkg",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The small fleet, and a catalogue that is laid over it."""

    workshop: Workshop
    catalog: Path

    def write(self, text: str) -> None:
        (self.catalog / "infra").mkdir(parents=True, exist_ok=True)
        (self.catalog / "infra" / "mine.yaml").write_text(text)

    def lamina(self, command: str, *words: str, code: int = 0) -> str:
        mine = ("--catalog", str(self.catalog))
        return self.workshop.lamina(command, *mine, *words, code=code).stdout

    def diff(self, *words: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.lamina("diff", "--json", *words))
        return found


@pytest.fixture
def trial(workshop: Workshop, tmp_path: Path) -> Trial:
    catalog = tmp_path / "mine"
    (catalog / "files").mkdir(parents=True)
    (catalog / "files" / "greeting").write_text("hello\n")
    return Trial(workshop=workshop, catalog=catalog)


def test_a_file_and_a_variable_of_the_catalogue_are_all_that_differs(trial: Trial) -> None:
    trial.write(
        "images: {cron: {change: {files: {append: "
        "[{source: greeting, path: /etc/greeting, mode: '0640'}]}, "
        "environment: {append: {COLOUR: green}}}}}"
    )
    trial.lamina("build", "cron")

    diff = trial.diff("cron")

    assert diff["packages"] == []
    (greeting,) = diff["files"]
    assert (greeting["path"], greeting["change"], greeting["growth"]) == (
        "/etc/greeting",
        "added",
        6,
    )
    assert (greeting["new"]["type"], greeting["new"]["mode"]) == ("file", "0640")
    assert diff["runtime"] == [{"setting": "environment COLOUR", "old": None, "new": "green"}]
    assert len(diff["layers"]["new"]) == 1
    assert diff["layers"]["new"][0]["units"] == []
    assert trial.lamina("diff", "cron", "--exit-code", code=1)


def test_a_package_of_the_parent_is_told_with_its_files_and_where_it_comes_from(
    trial: Trial,
) -> None:
    shutil.copy(trial.workshop.lock, trial.workshop.folder / "old.json")
    trial.write("images: {redis-base: {change: {packages: {debian: {append: [bc]}}}}}")
    trial.lamina("lock")
    trial.lamina("build", "redis")

    diff = trial.diff("redis")

    assert [(one["package"], one["change"], one["new"]["image"]) for one in diff["packages"]] == [
        ("bc", "added", "redis-base")
    ]
    added = {one["path"] for one in diff["files"] if one["change"] == "added"}
    assert {"/usr/bin/bc", "/usr/share/doc/bc/copyright"} <= added
    elsewhere = {one["path"] for one in diff["files"] if not one["path"].startswith(DPKG)} - added
    assert elsewhere == set()
    assert any(unit.startswith("bc_") for one in diff["layers"]["new"] for unit in one["units"])
    assert 0 < diff["fetch"]["blobs"] <= diff["fetch"]["prefix"]

    locks = trial.diff("redis", "old.json", str(trial.workshop.lock))
    assert [one["package"] for one in locks["packages"]] == ["bc"]
    assert ["bc"] in [
        [unit.split("_")[0] for unit in group["units"]] for group in locks["groups"]["new"]
    ]


def test_an_image_and_itself_do_not_differ(trial: Trial) -> None:
    diff = trial.diff("cron", "current", "current", "--exit-code")

    assert diff["equal"]
    assert (diff["packages"], diff["files"], diff["runtime"]) == ([], [], [])
    assert diff["fetch"] == {"blobs": 0, "prefix": 0}
