"""The lock file is read with all its faults at once, and written the same for the same lock."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.artifacts.releases import line
from tests.lock.fleets import a_catalog, a_unit, an_image, locked

from lamina.errors import LockError
from lamina.layering import group_id
from lamina.lock import lock_text, read_lock, write_lock
from lamina.model.artifact import Recipe
from lamina.model.digest import Digest
from lamina.model.image import ImageId, Type
from lamina.model.lock import MOST_LAYERS, DpkgCall, Index, Lock, LockedImage, UnitKind

CASES = sorted((Path(__file__).parents[1] / "cases" / "lock").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_lock_file_has_exactly_the_expected_faults(case: Path) -> None:
    file = case / "lamina.lock"
    expected = (case / "expected").read_text()
    try:
        lock = read_lock(file)
    except LockError as error:
        found = f"{error}\n".replace(f"{case}{os.sep}", "")
    else:
        found = ""
        assert lock_text(lock) == file.read_text()
    assert found == expected


def test_there_are_cases_of_broken_and_of_good_files() -> None:
    expected = [(case / "expected").read_text() for case in CASES]
    assert sum(1 for text in expected if text) >= 12
    assert any(not text for text in expected)


def test_a_missing_lock_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="there is no lock\n  run lamina lock"):
        read_lock(tmp_path / "lamina.lock")


def test_a_file_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "lamina.lock").write_bytes(b"\xff\xfe")
    with pytest.raises(LockError, match="cannot be read"):
        read_lock(tmp_path / "lamina.lock")


ARTIFACTS = [
    replace(
        a_unit("artifact:plain"),
        path="plain/v1.0/plain-linux-amd64",
        pinned="first sight",
        recipe=Recipe(install=(line("", "/usr/bin/plain", 0o4755),), date=1_700_000_000),
    ),
    replace(
        a_unit("artifact:archive"),
        path="archive/v1.0/archive.tgz",
        size=None,
        pinned="catalogue",
        recipe=Recipe(install=(line("x-*/", "/opt/x/", None, "a", "b/*", uid=42423),)),
    ),
]

digests = st.binary(max_size=4).map(Digest.of)
names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,8}", fullmatch=True)


@st.composite
def groups_of(draw: st.DrawFn, names: list[str]) -> dict[str, tuple[str, ...]]:
    """Divide the names into groups, in any order."""
    labels = draw(st.lists(st.integers(0, 2), min_size=len(names), max_size=len(names)))
    parts = [
        tuple(n for n, label in zip(names, labels, strict=True) if label == k) for k in range(3)
    ]
    return {group_id(part): part for part in draw(st.permutations(parts)) if part}


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    versions = st.sampled_from(["1", "2:1.0~rc1-1+b2"])
    chosen = draw(st.dictionaries(names, versions, max_size=6))
    units = {unit.key: unit for unit in (a_unit(*one) for one in chosen.items())}
    layers: dict[str, tuple[str, ...]] = {}
    ids = draw(
        st.lists(
            st.builds(ImageId, names.map(lambda name: f"x{name}"), st.sampled_from([None, *Type])),
            unique=True,
            max_size=4,
        )
    )
    images = []
    for position, id_ in enumerate(ids):
        parent = draw(st.sampled_from([None, *ids[:position]]))
        packages = [key for key, unit in units.items() if unit.kind is UnitKind.PACKAGE]
        keys = draw(st.permutations(sorted(packages)))
        cut = draw(st.integers(0, len(keys)))
        calls = (
            DpkgCall(action="unpack", units=tuple(keys[cut:])),
            DpkgCall(action="configure", units=tuple(keys[cut:])),
        )
        own = keys[cut:] if parent else keys
        mine = sorted(draw(st.sets(st.sampled_from(ARTIFACTS))))
        units |= {unit.key: unit for unit in mine}
        owned = sorted(unit.name for unit in (*(units[key] for key in own), *mine))
        groups = draw(groups_of(owned))
        layers |= groups
        images.append(
            LockedImage(
                id=id_,
                parent=parent,
                request=draw(digests),
                packages=tuple(sorted(draw(st.sets(names, max_size=3)))),
                bootstrap=() if parent else tuple(keys[:cut]),
                calls=calls,
                artifacts=tuple(unit.key for unit in mine),
                unpinned=tuple(draw(st.sets(st.just("artifact:lost_1_all")))),
                layers=tuple(id_ for id_ in layers if id_ in groups),
            )
        )
    index = Index(
        repository="debian", suite="trixie", date="2025-08-09T10:11:12Z", digest=draw(digests)
    )
    return Lock(
        distro="debian-13",
        architecture="amd64",
        catalog=draw(digests),
        indices=(index,),
        units=units,
        layers=layers,
        images=tuple(images),
        layer_budget=MOST_LAYERS,
    )


@given(locks())
def test_a_lock_is_read_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, lock: Lock
) -> None:
    file = tmp_path_factory.getbasetemp() / "lamina.lock"
    write_lock(lock, file)
    assert read_lock(file) == lock
    assert file.read_text() == lock_text(read_lock(file))


def test_a_new_version_of_a_package_changes_only_the_lines_that_name_it() -> None:
    catalog = a_catalog(
        an_image("base", None, ["libc6"]),
        an_image("cron", "base", ["cron", "logrotate"]),
        an_image("redis", "base", ["redis"]),
    )
    before = lock_text(locked(catalog)).splitlines()
    after = lock_text(locked(catalog, {"cron": "2.0"})).splitlines()
    changed = [line for line in after if line not in before]
    assert len(after) == len(before)
    assert len(changed) == 2
    assert all("cron_2.0_amd64" in line for line in changed)


def test_a_lock_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "lamina.lock"
    write_lock(locked(a_catalog(an_image("base"))), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    file.chmod(0o664)
    number = file.stat().st_ino
    write_lock(locked(a_catalog(an_image("base", None, ["cron"]))), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o664
    assert file.stat().st_ino != number
    assert [path.name for path in tmp_path.iterdir()] == ["lamina.lock"]


def test_a_lock_names_no_host() -> None:
    text = lock_text(locked(a_catalog(an_image("base", None, ["libc6"]))))
    assert "://" not in text
