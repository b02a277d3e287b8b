"""What the tests of the house look at: the checkout, and the files that are committed in it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def committed(checkout: Path) -> Mapping[str, bytes]:
    """The content of every file that is committed or would be, by its path in the checkout."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout,
        capture_output=True,
        check=True,
        text=True,
    )
    files = {name: checkout / name for name in sorted(set(listing.stdout.split("\0"))) if name}
    return {name: file.read_bytes() for name, file in files.items() if file.is_file()}
