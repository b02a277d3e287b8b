"""Draws the upper part of a storage page, down to its treemap, light and dark, for the README.

python -m tests.storage.screenshot PAGE FOLDER
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.storage.chromium import chromium

_WIDTH = 1200
_MARGIN = 16


def draw(page: Path, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of a page into a folder, and return them."""
    pictures = {"light": folder / "storage-light.webp", "dark": folder / "storage-dark.webp"}
    with (
        # Chromium may still write to its profile while it ends.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        chromium(Path(profile)) as browser,
    ):
        for scheme, picture in pictures.items():
            browser.open(page, width=_WIDTH, dark=scheme == "dark")
            end = browser.evaluate(
                "document.querySelector('svg.treemap').getBoundingClientRect().bottom + scrollY"
            )
            picture.write_bytes(browser.picture(_WIDTH, round(end) + _MARGIN))
    return tuple(pictures.values())


if __name__ == "__main__":
    for drawn in draw(Path(sys.argv[1]).resolve(), Path(sys.argv[2])):
        sys.stdout.write(f"{drawn}\n")
