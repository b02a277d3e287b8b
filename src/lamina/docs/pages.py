"""All pages: the index and one for each family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamina.docs.entry import INDEX, Entry, make_entries, page_of
from lamina.docs.family import family_page
from lamina.docs.index import index_page
from lamina.model.catalog import Catalog
from lamina.model.offer import Offers

# The one thing in a page that is not shown; it tells a page of ours from one of somebody's own.
MARK = "[//]: # (Written by lamina docs from the catalogue; change its entries, not this page.)"


def make_pages(catalog: Catalog, offers: Sequence[Offers]) -> Mapping[str, str]:
    """Return the pages by their file names: `README.md`, `redis.md`.

    `catalog` is for the distribution whose names are shown, `offers` are all distributions'.
    The same catalogue gives the same texts.
    """
    entries = make_entries(catalog, offers)
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.image.family, []).append(entry)
    order = {image.id.name: place for place, image in enumerate(catalog.images)}
    pages = {f"{INDEX}.md": index_page(entries, offers)}
    for family, members in sorted(families.items()):
        members.sort(key=lambda entry: order[entry.name])  # parents first
        pages[page_of(family)] = family_page(family, members, catalog.distro)
    return {name: f"{MARK}\n\n{text}\n" for name, text in pages.items()}
