"""What the tests of the cache have in common: a small fleet, made in a layout, and a registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cache.fleets import Made, Shelf, a_fleet, build


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return build(*a_fleet(), tmp_path)


@pytest.fixture
def shelf(made: Made) -> Shelf:
    shelf = Shelf()
    for built in made[0].values():
        shelf.put(built, made[1])
    return shelf
