"""Pages about the catalogue: read for every distribution, shown, written."""

from __future__ import annotations

from pathlib import Path

from lamina.catalog import default_folder, load_catalog, load_offers
from lamina.docs import Written, make_pages, write_pages
from lamina.settings import Settings


def docs(settings: Settings, folder: Path) -> Written:
    """Write the pages of the settings' catalogue into `folder`.

    They do not depend on this machine: its architecture is not looked at.
    """
    folders = (default_folder(), *settings.catalogs)
    catalog = load_catalog(folders, settings.distro)
    return write_pages(make_pages(catalog, load_offers(folders)), folder)
