from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lamina.engine.stack import (
    EMPTY,
    Diversion,
    Stack,
    ancestors,
    corrections,
    intrusions,
    over,
    read_diversions,
    unshareable,
)
from lamina.engine.unit import Directory, UnitFacts
from lamina.model.digest import Digest
from lamina.model.lock import UnitKind
from lamina.oci.entry import Entry, EntryKind

DELTA = Path("/delta")
PLAIN, TIGHT, MAIL = (
    Directory("d", 0o755, 0, 0),
    Directory("d", 0o700, 0, 0),
    Directory("d", 0o2775, 0, 8),
)


def unit(
    name: str = "unit",
    *,
    files: Sequence[str] = (),
    links: Sequence[str] = (),
    directories: Sequence[Directory | str] = (),
    conffiles: Sequence[str] = (),
    listed: Sequence[str] = (),
    interests: Sequence[str] = (),
    real: str = "",
    epoch: int = 0,
) -> UnitFacts:
    return UnitFacts(
        digest=Digest.of(name.encode()),
        name=name,
        instance=name,
        version="1",
        architecture="all",
        epoch=epoch,
        size=0,
        conffiles=tuple(conffiles),
        files=(*files, *links),
        directories=tuple(
            d if isinstance(d, Directory) else Directory(d, 0o755, 0, 0) for d in directories
        ),
        links=tuple(links),
        listed=tuple(listed),
        interests=tuple(interests),
        real=real,
    )


def entry(path: str, kind: EntryKind, mode: int = 0o755, uid: int = 0) -> Entry:
    return Entry(path=path, kind=kind, mode=mode, uid=uid)


def stack(units: Sequence[UnitFacts] = (), changes: Sequence[Entry] = ()) -> Stack:
    trees = {Path("/trees") / unit.name: unit for unit in units}
    return over(EMPTY, delta=DELTA, changes=changes, units=units, trees=trees)


def test_a_path_has_the_directories_above_it() -> None:
    assert ancestors("usr/share/doc") == ("usr", "usr/share")
    assert ancestors("usr") == ()


def test_a_stack_has_the_delta_over_the_trees_over_the_parent() -> None:
    parent = stack([unit("a")])
    child = over(
        parent, delta=Path("/child"), changes=(), units=[], trees={Path("/trees/b"): unit()}
    )
    assert child.lowers == (Path("/child"), Path("/trees/b"), DELTA, Path("/trees/a"))


def test_packages_and_the_triggers_that_they_wait_for_add_up() -> None:
    parent = stack([unit("man-db", interests=["/usr/share/man"]), unit("libc6")])
    assert parent.packages == {"man-db", "libc6"}
    assert parent.interests == {"/usr/share/man"}
    # Also those of packages that dpkg unpacked itself, which are no lower directories.
    units = [unit("libc6"), unit("libc-bin", interests=["ldconfig"], real="why")]
    child = over(parent, delta=Path("/child"), changes=(), units=units, trees={})
    assert child.packages == {"man-db", "libc6", "libc-bin"}
    assert child.interests == {"/usr/share/man", "ldconfig"}
    assert (EMPTY.packages, EMPTY.interests) == (frozenset(), frozenset())


def test_the_epoch_is_the_newest_of_all() -> None:
    parent = stack([unit("a", epoch=5), unit("b", epoch=3)])
    assert parent.epoch == 5
    child = over(parent, delta=DELTA, changes=(), units=[unit("c", epoch=4)], trees={})
    assert child.epoch == 5


def test_the_topmost_tree_shows_its_directories_unless_the_delta_has_them() -> None:
    first, second = Directory("var/x", 0o700, 1, 1), Directory("var/x", 0o755, 0, 0)
    parent = stack([unit("a", directories=[first]), unit("b", directories=[second])])
    assert parent.directories == {"var/x": first}
    tree, unpacked = unit("c", directories=[second]), unit("d", directories=[first])
    kept = [entry("var/x", EntryKind.DIRECTORY, 0o700, 1)]
    for changes, shown in (((), second), (kept, Directory("var/x", 0o700, 1, 0))):
        child = over(
            parent,
            delta=DELTA,
            changes=changes,
            units=[unpacked, tree],
            trees={Path("/trees/c"): tree},
        )
        assert child.directories == {"var/x": shown}


def test_what_dpkg_unpacked_itself_leaves_the_directories_that_were_there() -> None:
    parent = stack([unit(directories=[MAIL])])
    real = unit("real", directories=[PLAIN])
    child = over(parent, delta=DELTA, changes=(), units=[real], trees={})
    assert child.directories == {"d": MAIL}


CHANGES = {
    "nothing": ([], {"a", "a/b", "a/b/c", "d"}),
    "another mode": ([entry("d", EntryKind.DIRECTORY, 0o700)], {"a", "a/b", "a/b/c", "d"}),
    "a new directory": ([entry("e", EntryKind.DIRECTORY)], {"a", "a/b", "a/b/c", "d", "e"}),
    "a directory that is gone": ([entry("a/b", EntryKind.WHITEOUT)], {"a", "d"}),
    "a tree that is gone": ([entry("a", EntryKind.WHITEOUT)], {"d"}),
    "a file in place of a tree": ([entry("a", EntryKind.FILE)], {"d"}),
    "a link in place of a tree": ([entry("a", EntryKind.SYMLINK)], {"d"}),
    "a tree made anew": (
        [entry("a", EntryKind.DIRECTORY, 0o700), entry("a", EntryKind.OPAQUE)],
        {"a", "d"},
    ),
    "a tree made anew with something in it": (
        [
            entry("a", EntryKind.DIRECTORY, 0o700),
            entry("a", EntryKind.OPAQUE),
            entry("a/b", EntryKind.DIRECTORY, 0o711),
        ],
        {"a", "a/b", "d"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_directories_are_as_the_delta_leaves_them(case: str) -> None:
    changes, left = CHANGES[case]
    result = stack([unit(directories=["a", "a/b", "a/b/c", "d"])], changes).directories
    assert result.keys() == left
    for change in changes:
        if change.kind is EntryKind.DIRECTORY:
            assert result[change.path].mode == change.mode


def test_links_are_known_from_units_and_deltas() -> None:
    changes = [
        entry("file", EntryKind.FILE),
        Entry(path="file-again", kind=EntryKind.HARDLINK, target="file"),
        entry("new", EntryKind.SYMLINK),
        Entry(path="new-again", kind=EntryKind.HARDLINK, target="new"),
        entry("old", EntryKind.FILE),
    ]
    parent = stack([unit(links=["kept", "old"])], changes)
    assert parent.links == {"kept", "new", "new-again"}


PARENT = stack(
    [unit("parent", files=["usr/bin/old"], directories=["dir"], conffiles=["/etc/old"])],
    [entry("link", EntryKind.SYMLINK), entry("lib", EntryKind.SYMLINK)],
)
UNSHAREABLE: dict[str, tuple[Sequence[UnitFacts], dict[str, str]]] = {
    "nothing in common": ([unit("a", files=["x"]), unit("b", files=["y"])], {}),
    "the same directory": ([unit("a", directories=["d"]), unit("b", directories=["d"])], {}),
    "its own reason": ([unit("a", real="so it is")], {"a": "so it is"}),
    "the same file": (
        [unit("a", files=["x"]), unit("b", files=["x"]), unit("c", files=["y"])],
        dict.fromkeys("ab", "x is in another of the image's packages"),
    ),
    "a file that is another's configuration": (
        [unit("a", files=["etc/x"]), unit("b", conffiles=["/etc/x"])],
        dict.fromkeys("ab", "etc/x is in another of the image's packages"),
    ),
    "the same configuration file": (
        [unit("a", conffiles=["/etc/x"]), unit("b", conffiles=["/etc/x"])],
        dict.fromkeys("ab", "etc/x is in another of the image's packages"),
    ),
    "a file of the parent": (
        [unit("a", files=["usr/bin/old"])],
        {"a": "usr/bin/old is in a package of the image's parent"},
    ),
    "a configuration file of the parent": (
        [unit("a", files=["etc/old"])],
        {"a": "etc/old is in a package of the image's parent"},
    ),
    "a directory that is a link of the parent": (
        [unit("a", directories=["link"])],
        {"a": "link is a link elsewhere"},
    ),
    "a directory that is another's link": (
        [unit("a", directories=["l"]), unit("b", links=["l"])],
        {"a": "l is a link elsewhere", "b": "l is a directory elsewhere"},
    ),
    "a file that is a directory of the parent": (
        [unit("a", files=["dir"])],
        {"a": "dir is a directory elsewhere"},
    ),
    "a diverted file": (
        [unit("a", files=["usr/bin/sh"]), unit("owner", files=["usr/bin/other"])],
        {"a": "usr/bin/sh is diverted by owner"},
    ),
    "a file that its own package diverts": ([unit("owner", files=["usr/bin/sh"])], {}),
    "a configuration file through a link into /usr": (
        [unit("a", files=["usr/lib/x"]), unit("b", conffiles=["/lib/x"], listed=["lib/x"])],
        dict.fromkeys("ab", "usr/lib/x is in another of the image's packages"),
    ),
    "a path through a link into /usr": (
        [unit("a", files=["usr/lib/x"], listed=["lib", "lib/x"])],
        {},
    ),
    "a path through a link that a package of its own brings": (
        [unit("a", files=["usr/sbin/x"], listed=["sbin/x"]), unit("b", links=["sbin"])],
        {},
    ),
    "a path through a link that is not there": (
        [unit("a", files=["usr/lib/x", "usr/lib32/x"], listed=["lib/x", "lib32/x"])],
        {"a": "lib32 is no link into /usr here"},
    ),
}


@pytest.mark.parametrize("case", UNSHAREABLE)
def test_dpkg_unpacks_itself_what_a_tree_cannot_stand_for(case: str) -> None:
    units, reasons = UNSHAREABLE[case]
    found = unshareable(PARENT, {each.name: each for each in units}, [Diversion("bin/sh", "owner")])
    assert found == reasons


def test_an_image_made_from_nothing_has_the_links_into_usr() -> None:
    units = {"a": unit("a", files=["usr/lib/x"], listed=["lib/x"])}
    assert unshareable(EMPTY, units, []) == {}


# Below, what is unpacked in order, the places of the trees among that, what must be made anew.
CORRECTIONS: dict[
    str, tuple[Directory | None, Sequence[Directory], Sequence[int], Directory | None]
] = {
    "all the same": (PLAIN, [PLAIN], [0], None),
    "not below": (None, [TIGHT], [0], None),
    "the parent's is right": (TIGHT, [PLAIN], [0], TIGHT),
    "of two units the first is right and on top": (None, [TIGHT, PLAIN], [0, 1], None),
    "the parent's is on top already": (MAIL, [MAIL, PLAIN, TIGHT], [0, 1, 2], None),
    "the parent's is right among three": (MAIL, [PLAIN, MAIL, TIGHT], [0, 1, 2], MAIL),
    "one that dpkg unpacks first is right": (None, [TIGHT, PLAIN], [1], TIGHT),
    "one that dpkg unpacks later does not count": (None, [PLAIN, TIGHT], [0], None),
    "the parent's is right before what dpkg unpacks": (MAIL, [TIGHT, PLAIN], [1], MAIL),
    "without trees all is as dpkg makes it": (MAIL, [TIGHT, PLAIN], [], None),
}


@pytest.mark.parametrize("case", CORRECTIONS)
def test_directories_are_made_anew_where_another_would_show(case: str) -> None:
    below, unpacked, trees, right = CORRECTIONS[case]
    units = [unit(directories=[each]) for each in unpacked]
    known = Stack(directories={"d": below} if below else {})
    found = corrections(known, units, [units[number] for number in trees])
    assert found == ((right,) if right else ())


def test_what_is_made_anew_comes_with_the_directories_above_it() -> None:
    above, right = Directory("a", 0o711, 3, 3), Directory("a/b/c", 0o700, 0, 0)
    units = [unit(directories=[above, Directory("a/b", 0o750, 0, 0), "a/b/c"])]
    known = Stack(directories={"a": above, "a/b/c": right, "z": PLAIN})
    found = corrections(known, units, units)
    assert found == (above, Directory("a/b", 0o750, 0, 0), right)


def test_diversions_are_read_from_dpkgs_file() -> None:
    text = "/bin/sh\n/bin/sh.distrib\ndash\n/usr/a\x85b\n/usr/c\n:\n/cut/off\n"
    assert read_diversions(text) == (Diversion("bin/sh", "dash"), Diversion("usr/a\x85b", ":"))
    assert read_diversions("") == ()


def artifact(name: str = "tool", **parts: Sequence[str]) -> UnitFacts:
    return replace(unit(f"artifact:{name}", **parts), kind=UnitKind.ARTIFACT)  # type: ignore[arg-type]


TOOL = artifact(files=["usr/bin/tool"], directories=["usr", "usr/bin"])
INTRUSIONS: dict[str, tuple[Stack, Sequence[UnitFacts], dict[str, str]]] = {
    "nothing in the way": (EMPTY, [TOOL, unit("cron", files=["usr/bin/cron"])], {}),
    "a package of the same image": (
        EMPTY,
        [TOOL, unit("cron", files=["usr/bin/tool"])],
        {"artifact:tool": "usr/bin/tool is in another of the image's packages"},
    ),
    "a configuration file of a package": (
        EMPTY,
        [artifact(files=["etc/tool"]), unit("cron", conffiles=["/etc/tool"])],
        {"artifact:tool": "etc/tool is in another of the image's packages"},
    ),
    "another artifact of the same image": (
        EMPTY,
        [TOOL, artifact("other", files=["usr/bin/tool"])],
        {
            "artifact:tool": "usr/bin/tool is in another of the image's packages",
            "artifact:other": "usr/bin/tool is in another of the image's packages",
        },
    ),
    "a package of the parent": (
        Stack(directories={}, files=frozenset(["usr/bin/tool"])),
        [TOOL],
        {"artifact:tool": "usr/bin/tool is in a package of the image's parent"},
    ),
    "a link of the parent": (
        Stack(directories={}, links=frozenset(["usr/bin"])),
        [TOOL],
        {"artifact:tool": "usr/bin is a link elsewhere"},
    ),
    "a directory of the parent": (
        Stack(directories={"usr/bin/tool": PLAIN}),
        [TOOL],
        {"artifact:tool": "usr/bin/tool is a directory elsewhere"},
    ),
    "an artifact of the parent, which a package covers": (
        Stack(directories={}, artifacts={"usr/bin/tool": "artifact:tool"}),
        [unit("cron", files=["usr/bin/tool"])],
        {"cron": "usr/bin/tool is in the artifact tool of the image's parent"},
    ),
}


@pytest.mark.parametrize("case", INTRUSIONS)
def test_what_lies_in_the_way_of_an_artifact_is_told(case: str) -> None:
    stack, units, expected = INTRUSIONS[case]
    by_key = {each.name: each for each in units}
    unshared = unshareable(stack, by_key, ())
    assert intrusions(stack, by_key, unshared, lambda _: None) == expected


def test_an_artifact_covers_nothing_that_the_parent_made_itself(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").touch()
    (tmp_path / "opt").touch()

    def find(path: str) -> Path | None:
        place = tmp_path / path
        return place if place.exists() else None

    accounts = artifact("a", files=["etc/passwd"], directories=["etc"])
    below = artifact("b", files=["opt/b"], directories=["opt"])
    fine = artifact("c", files=["etc/c"], directories=["etc"])
    units = {each.name: each for each in (accounts, below, fine)}
    assert intrusions(EMPTY, units, {}, find) == {
        "artifact:a": "etc/passwd is in the image's parent",
        "artifact:b": "opt is in the image's parent",
    }


def test_an_image_remembers_the_files_of_artifacts_below_it() -> None:
    units = [TOOL, unit("cron", files=["usr/bin/cron"])]
    trees = {Path("/1"): TOOL}
    first = over(EMPTY, delta=DELTA, changes=(), units=units, trees=trees)
    second = over(first, delta=DELTA, changes=(), units=[], trees={})
    assert first.artifacts == second.artifacts == {"usr/bin/tool": "artifact:tool"}
