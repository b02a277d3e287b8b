"""The benchmarks: all of them run, with the options that they share, on a catalogue that loads."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import click
import pytest
from benchmarks.command import write_catalog
from benchmarks.lab.document import fill, require_places
from benchmarks.lab.fleet_table import most_alike
from benchmarks.lab.report import Figure, Load, Report, show
from click.testing import CliRunner

from lamina.catalog import load_catalog

PROGRAMS = ("command", "fleet", "install", "layering", "profile", "publish", "unit")


def test_make_bench_runs_every_program_of_the_folder(checkout: Path) -> None:
    listed = re.search(r"^BENCHMARKS := (.*)$", (checkout / "Makefile").read_text(), re.MULTILINE)
    assert listed
    programs = {
        path.stem
        for path in (checkout / "benchmarks").glob("*.py")
        if "__main__" in path.read_text()
    }
    assert sorted(listed[1].split()) == sorted(programs) == sorted(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_benchmark_tells_how_it_measures_and_takes_a_subset(name: str) -> None:
    program = import_module(f"benchmarks.{name}").main
    assert isinstance(program, click.Command)
    told = CliRunner().invoke(program, ["--help"])
    assert told.exit_code == 0
    assert {"--repeat", "--json", "--folder"} <= set(re.findall(r"--[a-z]+", told.output))
    assert "[SELECT]..." in told.output or "[PACKAGE]..." in told.output


def test_what_is_measured_goes_into_its_place_of_a_document(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "# Page\n<!-- a -->\n<!-- end of a -->\n\n<!-- b -->\nold\n<!-- end of b -->\n"
    )

    for _ in range(2):
        fill(document, {"a": "first\n\nsecond", "b": "new"})

    assert document.read_text() == (
        "# Page\n<!-- a -->\nfirst\n\nsecond\n<!-- end of a -->\n\n"
        "<!-- b -->\nnew\n<!-- end of b -->\n"
    )
    with pytest.raises(SystemExit, match="no place between <!-- c --> and <!-- end of c -->"):
        require_places(document, ("a", "c"))


def test_the_documents_have_places_for_what_is_measured(checkout: Path) -> None:
    require_places(checkout / "docs" / "fleet.md", ("versions", "build", "test"))
    require_places(checkout / "docs" / "storage.md", ("default-fleet", "synthetic-fleet"))


@pytest.mark.parametrize(
    ("image", "packages", "main"),
    [
        ("etcd", ["etcd-client", "etcd-server"], "etcd-server"),
        ("iscsid", ["open-iscsi", "python3-rtslib-fb", "targetcli-fb"], "open-iscsi"),
        ("ceph-osd", ["btrfs-progs", "ceph-osd", "gdisk"], "ceph-osd"),
        ("hacluster-pcs", ["crmsh", "pcs"], "pcs"),
        ("prometheus-base", [], ""),
    ],
)
def test_an_image_is_about_the_package_that_is_called_like_it(
    image: str, packages: list[str], main: str
) -> None:
    assert most_alike(image, packages) == main


def test_the_synthetic_catalogue_has_as_many_images_as_asked_for(tmp_path: Path) -> None:
    write_catalog(tmp_path, 20)
    catalog = load_catalog([tmp_path], "debian-13", architecture="amd64")
    assert len(catalog.images) == 20
    assert all(image.parent or image.id.name == "base" for image in catalog.images)


def test_a_report_says_figures_goals_and_the_load(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(
        benchmark="unit",
        figures=(Figure(name="median", value=1.25, goal=1.5), Figure(name="total", value=120.4)),
        rows=({"package": "cron", "s": 0.012},),
        notes=("one note",),
    )
    load = Load(0.5, 1.0, 2)
    show(report, load, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "PACKAGE      S",
        "cron     0.012",
        "",
        "FIGURE    GOAL  MEASURED  UNIT",
        "median  <= 1.5      1.25  ratio",
        "total                120  ratio",
        "# one note",
        "# load 0.5 before, 1.0 after, on 2 cores",
    ]
    show(report, load, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["figures"][0] == {"name": "median", "value": 1.25, "unit": "ratio", "goal": 1.5}
    assert said["load"] == {"before": 0.5, "after": 1.0, "cores": 2}
