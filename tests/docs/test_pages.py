"""Pages of a catalogue: `tests/cases/docs/CASE/catalog` and `overlay` in, `expected/` out.

The catalogue is laid over `tests/cases/catalog/_common`, which has a distribution, users and
`base`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from lamina.catalog import load_catalog, load_offers
from lamina.docs import MARK, make_pages
from lamina.docs.markdown import anchor

CASES = Path(__file__).parents[1] / "cases"


def pages(case: str, scratch: Path) -> Mapping[str, str]:
    catalog = scratch / "catalog"
    shutil.copytree(CASES / "catalog" / "_common", catalog)
    shutil.copytree(CASES / "docs" / case / "catalog", catalog, dirs_exist_ok=True)
    folders = (catalog, CASES / "docs" / case / "overlay")
    return make_pages(load_catalog(folders, "debian-13"), load_offers(folders))


@pytest.mark.parametrize("case", sorted(path.name for path in (CASES / "docs").iterdir()))
def test_a_catalogue_has_these_pages(case: str, tmp_path: Path) -> None:
    expected = {
        path.name: path.read_text() for path in (CASES / "docs" / case / "expected").iterdir()
    }
    assert pages(case, tmp_path) == expected


def test_every_page_says_what_it_was_made_of(tmp_path: Path) -> None:
    made = pages("a-fleet", tmp_path)
    assert all(text.startswith(f"{MARK}\n\n# ") for text in made.values())
    assert all(text.endswith("\n") and "\n\n\n" not in text for text in made.values())


def test_every_link_leads_to_a_heading_of_its_page(tmp_path: Path) -> None:
    made = pages("a-fleet", tmp_path)
    headings = {
        name: {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
        for name, text in made.items()
    }
    links = [link for text in made.values() for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert len(links) > 10
    for link in links:
        page, _, heading = link.partition("#")
        assert page in made, link
        assert not heading or heading in headings[page], link


def test_the_index_is_one_table_with_a_row_for_each_image(tmp_path: Path) -> None:
    made = pages("a-fleet", tmp_path)["README.md"]
    tokens = MarkdownIt("commonmark").enable("table").parse(made)
    rows = sum(token.type == "tr_open" for token in tokens)
    cells = sum(token.type in ("td_open", "th_open") for token in tokens)
    assert (rows, cells) == (7, 35)
