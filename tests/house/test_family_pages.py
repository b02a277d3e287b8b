"""The pages about images that are committed are those of the catalogue that is committed."""

from __future__ import annotations

from collections.abc import Mapping

from lamina.catalog import default_folder, load_catalog, load_offers
from lamina.docs import make_pages

FOLDER = "docs/families/"


def test_the_pages_of_the_families_are_up_to_date(committed: Mapping[str, bytes]) -> None:
    folders = [default_folder()]
    pages = make_pages(load_catalog(folders, "debian-13"), load_offers(folders))
    there = {
        name.removeprefix(FOLDER): content.decode()
        for name, content in committed.items()
        if name.startswith(FOLDER)
    }

    stale = {name for name in pages.keys() | there.keys() if pages.get(name) != there.get(name)}

    assert stale == set(), "`make family-pages` writes them anew"
    assert len(pages) > 20
