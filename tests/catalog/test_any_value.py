"""Whatever stands in a catalogue's files: it loads, or it is refused with places."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalog.cases import CASES

from lamina.catalog import load_catalog
from lamina.errors import CatalogError

Steps = tuple[str | int, ...]

FILES = [
    "_common/users.yaml",
    "_common/rules.yaml",
    "_common/distros/debian-13.yaml",
    "_common/infra/base.yaml",
    "good-inheritance/catalog/infra/fleet.yaml",
    "good-overlay-changes/overlay/infra/own.yaml",
    "good-service-test/catalog/infra/fleet.yaml",
    "good-types/catalog/openstack/nova.yaml",
]
WORDS = st.sampled_from(["base", "debian", "append", "infra", "/x", "", "root", "0644", "x y"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def paths_of(value: Any, path: Steps = ()) -> list[Steps]:
    """Return the paths of all values in `value`."""
    parts: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    return [path, *(found for key, part in parts for found in paths_of(part, (*path, key)))]


def with_value(whole: Any, path: Steps, value: Any) -> Any:
    """Return `whole` with `value` at `path`."""
    if not path:
        return value
    copy = whole.copy()
    copy[path[0]] = with_value(whole[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("name", FILES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_value_anywhere_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    whole = yaml.safe_load((CASES / name).read_text())
    changed = with_value(whole, data.draw(st.sampled_from(paths_of(whole))), data.draw(VALUES))
    case, _, below = name.partition("/")
    with tempfile.TemporaryDirectory() as scratch:
        catalog = Path(scratch) / "catalog"
        shutil.copytree(CASES / "_common", catalog)
        overlay = Path(scratch) / "overlay"
        if case != "_common":
            shutil.copytree(CASES / case, scratch, dirs_exist_ok=True)
        target = catalog / below if case == "_common" else Path(scratch) / below
        target.write_text(yaml.safe_dump(changed, allow_unicode=True))
        try:
            folders = [catalog, overlay] if overlay.is_dir() else [catalog]
            places = [image.place for image in load_catalog(folders, "debian-13").images]
        except CatalogError as error:
            places = [fault.place for fault in error.faults]
    assert places
    assert all(places)
