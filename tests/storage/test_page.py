"""The storage page: complete, exact, and safe whatever the names in it are."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.pages import (
    IMAGES,
    PACKAGES,
    RUN,
    image,
    package,
    read,
    report,
    rows,
    turn,
    what_if,
)

from lamina.model.image import ImageId
from lamina.model.run import critical_path
from lamina.storage.page import make_page

HOSTILE = "</script></style></title><img src=x onerror=alert(1)>\"'&<svg onload=alert(2)>"
PAGE = make_page(report(), RUN)


def test_the_answer_comes_first_then_the_sections_in_their_order() -> None:
    page = read(PAGE)

    headings = [node.whole_text for node in page.walk() if node.tag in ("h1", "h2")]
    assert headings == [
        "Storage of the fleet",
        "What if it were layered otherwise?",
        "Packages",
        "Images",
        "Tree",
        "The last build",
    ]
    assert PAGE.index("building infra once saves 40 %.") < PAGE.index("<h2")


def test_every_image_is_in_the_table_with_its_exact_sizes() -> None:
    assert rows(read(PAGE).by_id("images")) == [
        {
            "image": str(one.id),
            "apparent": str(one.apparent.uncompressed),
            "exclusive": str(one.exclusive.uncompressed),
            "shared": str(one.shared.uncompressed),
            "amortised": str(one.amortised.uncompressed),
            "own": str(one.own.uncompressed),
            "delta": str(one.delta.uncompressed),
            "compressed": str(one.apparent.compressed),
            "layers": str(one.layers),
            "seconds": f"{one.seconds:g}",
        }
        for one in IMAGES
    ]


def test_every_package_is_in_the_table_with_its_exact_sizes() -> None:
    assert rows(read(PAGE).by_id("packages")) == [
        {
            "package": one.name,
            "version": one.version,
            "uncompressed": str(one.size.uncompressed),
            "compressed": str(one.size.compressed),
            "images": str(one.images),
            "stored": str(one.stored),
        }
        for one in PACKAGES
    ]


@pytest.mark.parametrize("kind", ["uncompressed", "compressed"])
def test_the_what_ifs_are_bars_in_both_sorts_of_bytes(kind: str) -> None:
    (table,) = (
        node for node in read(PAGE).all("table") if node.attributes.get("class") == f"bars {kind}"
    )
    bars = [
        (row.attributes["data-what-if"], int(row.all("data")[0].attributes["value"] or ""))
        for row in table.all("tbody")[0].all("tr")
    ]
    widths = [float(width) for width in re.findall(r'style="width:([\d.]+)%"', PAGE_OF[kind])]

    assert bars == [(one.name, getattr(one.size, kind)) for one in report().what_if]
    longest = max(size for _, size in bars)
    assert widths == [pytest.approx(100 * size / longest, abs=0.01) for _, size in bars]


PAGE_OF = {
    kind: PAGE.partition(f'<table class="bars {kind}"')[2].partition("</table>")[0]
    for kind in ("uncompressed", "compressed")
}


@pytest.mark.parametrize("drawing", ["wide", "narrow"])
def test_the_treemap_has_all_the_bytes_of_all_packages(drawing: str) -> None:
    (treemap,) = (
        node for node in read(PAGE).all("svg") if node.attributes["class"] == f"treemap {drawing}"
    )
    tiles = [tile for tile in treemap.children if tile.tag == "g"]
    sizes = [int(tile.attributes["data-bytes"] or "") for tile in tiles]
    whole = sum(one.size.uncompressed for one in PACKAGES)
    areas = [
        float(box.attributes["width"] or "") * float(box.attributes["height"] or "")
        for box in treemap.all("rect")
    ]

    assert sum(sizes) == whole
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) < len(PACKAGES), "the smallest share a tile"
    assert areas == [pytest.approx(sum(areas) * size / whole, rel=0.05) for size in sizes]


def test_a_package_is_darker_the_more_images_have_it() -> None:
    counts = (1, 2, 3, 4, 7, 8, 15, 16, 300)
    some = [package(f"p{count}", 1000, count) for count in counts]
    (treemap, _) = read(make_page(report(packages=some), RUN)).all("svg")[:2]

    colours = {
        tile.children[0].text.partition(" ")[0]: tile.attributes["class"]
        for tile in treemap.children
        if tile.tag == "g"
    }
    assert [colours[f"p{count}"] for count in counts] == [
        f"share-{step}" for step in (1, 2, 2, 3, 3, 4, 4, 5, 5)
    ]


def test_the_tree_has_each_image_below_its_parent() -> None:
    (tree,) = (node for node in read(PAGE).all("ul") if node.attributes.get("class") == "tree")

    def names(branch: object) -> dict[str, object]:
        return {
            item.children[0].children[0].text: names(item.children[1])
            if len(item.children) > 1
            else {}
            for item in branch.children  # type: ignore[attr-defined]
        }

    assert names(tree) == {
        "base": {"cron": {}, "mariadb-base": {"mariadb-server": {}}, "source-nova-api": {}}
    }


def test_an_image_whose_parent_is_not_in_the_report_stands_at_the_top_of_the_tree() -> None:
    page = read(make_page(report(images=IMAGES[3:]), None))
    (tree,) = (node for node in page.all("ul") if node.attributes.get("class") == "tree")

    assert [item.children[0].children[0].text for item in tree.children] == [
        "mariadb-server",
        "source-nova-api",
    ]


def test_the_timeline_marks_the_critical_path() -> None:
    expected = [str(one.image) for one in critical_path(RUN)]
    page = read(PAGE)

    (path,) = (node for node in page.all("ol") if node.attributes.get("class") == "path")
    assert [item.children[0].text for item in path.children] == expected
    for chart in (n for n in page.all("svg") if "gantt" in (n.attributes["class"] or "")):
        bars = [node for node in chart.children if node.tag == "g"]
        assert {bar.attributes["data-image"] for bar in bars} == {str(t.image) for t in RUN.turns}
        marked = [b.attributes["data-image"] for b in bars if b.attributes["class"] == "critical"]
        assert marked == expected
    told = {row["image"]: row["critical"] for row in rows(page.by_id("turns"))}
    assert [name for name, critical in told.items() if critical] == expected


def test_bars_of_one_worker_do_not_overlap() -> None:
    chart = next(n for n in read(PAGE).all("svg") if n.attributes["class"] == "gantt wide")
    lanes: dict[str, list[tuple[float, float]]] = {}
    for bar in (node for node in chart.children if node.tag == "g"):
        (box,) = bar.all("rect")
        x, width = float(box.attributes["x"] or ""), float(box.attributes["width"] or "")
        lanes.setdefault(box.attributes["y"] or "", []).append((x, x + width))

    assert len(lanes) == 2
    for spans in lanes.values():
        assert all(one[1] <= other[0] for one, other in pairwise(spans))
        assert 0 <= spans[0][0] <= spans[-1][1] <= 1120


def test_an_outcome_that_is_no_good_is_marked_and_told() -> None:
    failed = replace(RUN.turns[-1], outcome="failed")
    page = make_page(report(), replace(RUN, turns=(*RUN.turns[:-1], failed)))

    assert 'class="turn bad" data-image="cron"' in page
    assert "Images: 4 built, 1 failed in 1 min 15 s" in page


def test_without_a_record_the_page_says_so() -> None:
    page = make_page(report(), None)

    assert "The store has no record of a build." in page
    assert "gantt" not in page.partition("</style>")[2]


def test_of_an_empty_fleet_there_is_a_page() -> None:
    empty = replace(report(images=(), packages=()), what_if=(), answer="nothing is built")
    page = read(make_page(empty, None))

    assert [node.text for node in page.all("h2")] == ["The last build"]


def test_a_fleet_without_packages_has_a_page() -> None:
    assert "There are none." in make_page(report(packages=[package("empty", 0, 1)]), RUN)


def test_every_text_is_escaped_wherever_it_stands() -> None:
    images = (replace(image("base", None, 9, 9), id=ImageId(HOSTILE)), *IMAGES)
    hostile = replace(
        report(images, [package(HOSTILE, 10**6, 3, version=HOSTILE)], HOSTILE),
        what_if=(what_if(HOSTILE, HOSTILE, 10, 5),),
    )
    turns = (replace(turn("base", None, 0, 0, 70), image=ImageId(HOSTILE)),)
    page = make_page(hostile, replace(RUN, turns=turns, started=HOSTILE))
    nodes = list(read(page).walk())

    assert sum(HOSTILE in node.text for node in nodes) >= 8
    assert [node.tag for node in nodes].count("script") == 1
    assert {node.tag for node in nodes}.isdisjoint({"img", "iframe", "object"})
    assert not [name for node in nodes for name in node.attributes if name.startswith("on")]


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(max_examples=30, deadline=None)
def test_no_name_changes_the_shape_of_the_page(text: str) -> None:
    def shape(name: str) -> list[str]:
        page = make_page(report(packages=[package(name, 10, 1, version=name)], answer=name), None)
        return [node.tag for node in read(page).walk()]

    assert shape(text) == shape("x" * len(text))


def test_the_page_loads_nothing() -> None:
    nodes = list(read(PAGE).walk())
    loading = [
        (node.tag, name, value)
        for node in nodes
        for name, value in node.attributes.items()
        if name in ("src", "href", "srcset", "action", "xlink:href", "data", "poster")
    ]

    assert loading == [("link", "href", "data:,")]
    assert re.findall(r"https?:|//\w|url\(|@import", PAGE) == []


def test_the_policy_forbids_the_network_and_every_script_but_the_pages_own() -> None:
    page = read(PAGE)
    script = page.all("script")[0].text.encode()
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    head = page.all("head")[0]
    policy = dict(
        part.strip().split(" ", 1)
        for part in (head.children[1].attributes["content"] or "").split(";")
    )

    assert head.children[1].attributes["http-equiv"] == "Content-Security-Policy"
    assert policy == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_ids_are_unique_and_what_names_one_finds_it() -> None:
    nodes = list(read(PAGE).walk())
    ids = [node.attributes["id"] for node in nodes if "id" in node.attributes]

    assert len(set(ids)) == len(ids)
    named = [
        node.attributes[name]
        for node in nodes
        for name in ("aria-labelledby", "for", "data-filter")
        if name in node.attributes
    ]
    assert named
    assert set(named) <= set(ids)


def test_tables_have_captions_and_drawings_have_titles() -> None:
    page = read(PAGE)

    assert all(table.children[0].tag == "caption" for table in page.all("table"))
    assert all(drawing.children[0].tag == "title" for drawing in page.all("svg"))


def test_the_same_report_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "from tests.storage.pages import RUN, report; from lamina.storage.page import make_page;"
        "import sys; sys.stdout.write(make_page(report(), RUN))"
    )
    for seed in ("1", "2"):
        again = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
            text=True,
        )
        assert again.stdout == PAGE


# Of what stands on what; WCAG 2.2, 1.4.3 wants 4.5.
PAIRS = [
    *(("ink", "paper"), ("ink", "ground"), ("quiet", "paper"), ("quiet", "ground")),
    *(("accent", "paper"), ("ink", "turn"), ("critical-ink", "critical")),
    *((f"share-{step}-ink", f"share-{step}") for step in range(6)),
]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_texts_stand_out_from_their_ground(text: str, ground: str, *, dark: bool) -> None:
    style = files("lamina.storage.page").joinpath("page.css").read_text()
    light, _, night = style.partition("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", night if dark else light))

    one, other = sorted((_luminance(colours[text]), _luminance(colours[ground])))
    assert (other + 0.05) / (one + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    """Return the relative luminance as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
