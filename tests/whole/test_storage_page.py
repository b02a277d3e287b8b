"""The storage page of a really built fleet: the figures of the JSON, and how the build went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Workshop
from tests.storage.pages import Node, read, rows

pytestmark = pytest.mark.real


def written(workshop: Workshop, folder: Path, *words: str) -> tuple[Any, Node]:
    """Return the report as JSON and as a page, both of one call."""
    page = folder / "storage.html"
    told = workshop.lamina("storage", *words, "--json", "--html", str(page)).stdout
    return json.loads(told), read(page.read_text(encoding="utf-8"))


def test_the_page_has_the_figures_of_the_json(built: Workshop, tmp_path: Path) -> None:
    report, page = written(built, tmp_path)

    shown = {row["image"]: row for row in rows(page.by_id("images"))}
    assert shown.keys() == {image["image"] for image in report["images"]}
    for image in report["images"]:
        row = shown[image["image"]]
        for key in ("apparent", "exclusive", "shared", "amortised", "own", "delta", "layers"):
            assert int(row[key]) == image[key], f"{image['image']}: {key}"
        assert int(row["compressed"]) == image["compressed"]["apparent"]
    bars = {
        row.attributes["data-what-if"]: int(row.all("data")[0].attributes["value"] or "")
        for table in page.all("table")
        if table.attributes.get("class") == "bars uncompressed"
        for row in table.all("tbody")[0].all("tr")
    }
    assert bars.keys() == report["what_if"].keys()
    assert bars["lower_bound"] == report["fleet"]["lower_bound"]
    assert bars["layered"] == report["fleet"]["unique"]
    (answer,) = (node for node in page.all("p") if node.attributes.get("class") == "answer")
    assert answer.text == f"{report['answer']}."


def test_the_page_has_every_package_of_the_json(built: Workshop, tmp_path: Path) -> None:
    report, page = written(built, tmp_path, "--by", "package")

    assert [
        (row["package"], row["version"], int(row["uncompressed"]), int(row["images"]))
        for row in rows(page.by_id("packages"))
    ] == [
        (one["package"], one["version"], one["size"], one["images"]) for one in report["packages"]
    ]


def test_the_page_shows_who_built_what_when(built: Workshop, tmp_path: Path) -> None:
    report, page = written(built, tmp_path)

    turns = rows(page.by_id("turns"))
    assert {turn["image"] for turn in turns} >= {image["image"] for image in report["images"]}
    assert "built" in {turn["outcome"] for turn in turns} <= {"built", "tested", "unchanged"}
    ended: dict[str, float] = {}
    for turn in turns:  # one after the other, for each worker; two rounded numbers make up an end
        assert float(turn["began"]) >= ended.get(turn["worker"], 0.0)
        ended[turn["worker"]] = float(turn["began"]) + float(turn["took"]) - 0.01
    assert turns[0]["image"] == "base"
    assert turns[0]["critical"] == "yes"


def test_a_build_with_nothing_to_do_leaves_the_record_of_the_one_before(
    built: Workshop, tmp_path: Path
) -> None:
    record = built.store / "runs" / "debian-13.json"
    before = record.read_bytes()

    built.lamina("build", "cron")

    assert record.read_bytes() == before


def test_a_damaged_record_leaves_a_page_without_a_timeline(
    workshop: Workshop, tmp_path: Path
) -> None:
    (workshop.store / "runs" / "debian-13.json").write_text("{}")

    _, page = written(workshop, tmp_path)

    assert not [node for node in page.all("svg") if "gantt" in (node.attributes["class"] or "")]
    assert "The store has no record of a build." in page.whole_text
