"""Files as the layers leave them, and how they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diff.values import DIRECTORY, file, listed

from lamina.diff import File, Files, by_folder, final_files
from lamina.diff.files import changed_files
from lamina.errors import StoreError
from lamina.model.digest import Digest
from lamina.oci.entry import EntryKind
from lamina.oci.listing import Listed

FOLDER, LINK, HARD = EntryKind.DIRECTORY, EntryKind.SYMLINK, EntryKind.HARDLINK
GONE, OPAQUE = EntryKind.WHITEOUT, EntryKind.OPAQUE
BELOW = [listed("etc", "", FOLDER), listed("etc/a", "one"), listed("etc/b", "two")]


def shown(files: Files) -> dict[str, str]:
    """Files by path: what is in them, or what they are."""
    known = {Digest.of(text.encode()): text for text in ("one", "two", "three")}
    return {
        path: known[file.content] if isinstance(file.content, Digest) else str(file.kind)
        for path, file in files.items()
    }


@pytest.mark.parametrize(
    ("above", "left"),
    [
        ([], {"etc": "directory", "etc/a": "one", "etc/b": "two"}),
        ([listed("etc/a", "three")], {"etc": "directory", "etc/a": "three", "etc/b": "two"}),
        ([listed("etc/a", "", GONE)], {"etc": "directory", "etc/b": "two"}),
        ([listed("etc", "", GONE)], {}),
        ([listed("etc", "", GONE), listed("etc/c", "three")], {"etc/c": "three"}),
        ([listed("etc", "", FOLDER), listed("etc", "", OPAQUE)], {"etc": "directory"}),
        (
            [listed("etc", "", OPAQUE), listed("etc/a", "three")],
            {"etc": "directory", "etc/a": "three"},
        ),
        ([listed("", "", OPAQUE), listed("c", "one")], {"c": "one"}),
        ([listed("etc", "/usr/etc", LINK)], {"etc": "symlink"}),
        ([listed("etc/a", "", FOLDER)], {"etc": "directory", "etc/a": "directory", "etc/b": "two"}),
        (
            [listed("etc/b", "three"), listed("etc/c", "etc/b", HARD)],
            {"etc": "directory", "etc/a": "one", "etc/b": "three", "etc/c": "three"},
        ),
        (
            [listed("c", "etc/a", HARD)],
            {"etc": "directory", "etc/a": "one", "etc/b": "two", "c": "one"},
        ),
    ],
)
def test_a_layer_over_another_leaves_what_the_image_specification_says(
    above: Sequence[Listed], left: Mapping[str, str]
) -> None:
    assert shown(final_files([BELOW, above])) == left


def test_a_directory_does_not_take_its_neighbours_of_a_longer_name_with_it() -> None:
    below = [*BELOW, listed("etc.d", "", FOLDER), listed("etc.d/a", "one")]

    assert [*final_files([below, [listed("etc", "", GONE)]])] == ["etc.d", "etc.d/a"]


def test_a_hard_link_to_nothing_is_told_with_its_path() -> None:
    with pytest.raises(StoreError, match="etc/c: a hard link of a layer names what is not there"):
        final_files([BELOW, [listed("etc/c", "etc/nothing", HARD)]])


@pytest.mark.parametrize(
    ("old", "new", "move", "what", "growth"),
    [
        (None, file("new"), "added", (), 3),
        (file("gone"), None, "removed", (), -4),
        (file("a"), file("bcd"), "changed", ("content",), 2),
        (file("a"), file("a", mode=0o600), "changed", ("mode",), 0),
        (file("a"), file("a", uid=42), "changed", ("owner",), 0),
        (
            file("a"),
            replace(file("a"), xattrs=(("security.capability", b"1"),)),
            "changed",
            ("attributes",),
            0,
        ),
        (file("a"), DIRECTORY, "changed", ("type", "mode"), -1),
        (file("/a", kind=LINK), file("/b", kind=LINK), "changed", ("content",), 0),
        (file("a"), file("bc", mode=0o600, uid=1), "changed", ("content", "mode", "owner"), 1),
    ],
)
def test_what_of_a_file_changed_and_by_how_much_it_grew(
    old: File | None, new: File | None, move: str, what: tuple[str, ...], growth: int
) -> None:
    before, after = ({"x": one} if one else {} for one in (old, new))

    (change,) = changed_files(before, after)

    assert (change.path, change.move, change.aspects, change.growth) == ("x", move, what, growth)


paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)
trees = st.dictionaries(paths, st.builds(file, st.sampled_from(["", "x", "yy"])), max_size=12)


@given(trees, trees)
def test_files_that_change_back_make_the_same_changes_the_other_way_round(
    one: Files, other: Files
) -> None:
    there, back = changed_files(one, other), changed_files(other, one)

    assert [(change.path, change.new, change.old) for change in back] == [
        (change.path, change.old, change.new) for change in there
    ]
    assert sum(change.growth for change in there) == sum(
        file.size for file in other.values()
    ) - sum(file.size for file in one.values())
    assert changed_files(one, one) == ()


@given(trees, trees, st.integers(1, 9))
def test_sums_by_directory_are_few_and_lose_nothing(one: Files, other: Files, limit: int) -> None:
    changes = changed_files(one, other)

    folders = by_folder(changes, limit=limit)

    assert len(folders) <= limit
    assert sum(sum(folder.counts.values()) for folder in folders) == len(changes)
    assert sum(folder.growth for folder in folders) == sum(change.growth for change in changes)


def test_directories_are_as_deep_as_the_limit_allows() -> None:
    added = ["etc/motd", "usr/bin/bc", "usr/share/doc/bc/copyright", "usr/share/man/bc.1"]
    changes = changed_files({}, {path: file() for path in added})

    assert {
        limit: [folder.path for folder in by_folder(changes, limit=limit)] for limit in (4, 3, 2, 1)
    } == {
        4: ["etc", "usr/bin", "usr/share/doc/bc", "usr/share/man"],
        3: ["etc", "usr/bin", "usr/share"],
        2: ["etc", "usr"],
        1: [""],
    }
