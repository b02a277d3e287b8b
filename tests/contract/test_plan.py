"""What is to be written, from what config.json says and what its sources are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolla_contract.config import Config, ConfigFile, Needed, Owner
from kolla_contract.faults import ContractError
from kolla_contract.plan import (
    Found,
    Made,
    Node,
    Plan,
    Properties,
    Target,
    directory_mode,
    make_plan,
)

NOVA = Owner("nova")
SOURCE = Properties(uid=7, gid=8, mode=0o640)
A_FILE = ConfigFile(place="config_files[0]", source="/s", dest="/d", owner=NOVA, mode=0o600)


def a_file(path: str) -> Found:
    return Found(path=path, nodes=(Node(path="", directory=False, properties=SOURCE),))


def a_folder(path: str, *files: str) -> Found:
    below = [Node(path=file, directory=False, properties=SOURCE) for file in files]
    top = Node(path="", directory=True, properties=SOURCE)
    return Found(path=path, nodes=(top, *below))


def plan(entries: Sequence[tuple[ConfigFile, Sequence[Found]]], *needed: tuple[str, bool]) -> Plan:
    """Return the plan for entries and what each of their sources matches.

    `needed` are paths, and whether each of them is a directory.
    """
    numbered = [
        (replace(entry, place=f"config_files[{number}]", source=f"/source-{number}"), found)
        for number, (entry, found) in enumerate(entries)
    ]
    return make_plan(
        Config(
            command="x",
            files=tuple(entry for entry, _ in numbered),
            needed=tuple(
                Needed(
                    place=f"needed[{number}]",
                    path=path,
                    directory=directory,
                    owner=NOVA,
                    mode=0o640,
                )
                for number, (path, directory) in enumerate(needed)
            ),
        ),
        {entry.source: tuple(found) for entry, found in numbered},
        {NOVA: (42436, 42436), Owner("nobody"): None},
    )


def faults(
    entries: Sequence[tuple[ConfigFile, Sequence[Found]]], *needed: tuple[str, bool]
) -> list[str]:
    with pytest.raises(ContractError) as caught:
        plan(entries, *needed)
    return [str(fault) for fault in caught.value.faults]


def test_a_file_is_given_to_its_owner() -> None:
    properties = Properties(uid=42436, gid=42436, mode=0o600)
    target = Target(place="config_files[0]", path="/d", source="/s", properties=properties)
    assert plan([(A_FILE, [a_file("/s")])]) == Plan(targets=(target,), exact={})


def test_a_file_without_owner_keeps_what_its_source_has() -> None:
    (target,) = plan([(replace(A_FILE, owner=None, mode=None), [a_file("/s")])]).targets
    assert target.properties == SOURCE


def test_what_goes_into_a_directory_keeps_its_name() -> None:
    into = replace(A_FILE, into=True)
    targets = plan([(into, [a_file("/s/a"), a_file("/s/b")])]).targets
    assert [(target.path, target.source) for target in targets] == [
        ("/d/a", "/s/a"),
        ("/d/b", "/s/b"),
    ]


def test_a_directory_brings_what_is_in_it_and_may_be_entered_by_who_may_read_it() -> None:
    targets = plan([(replace(A_FILE, mode=0o640), [a_folder("/s", "a")])]).targets
    assert [(target.path, target.source, oct(target.properties.mode)) for target in targets] == [
        ("/d", None, "0o750"),
        ("/d/a", "/s/a", "0o640"),
    ]


def test_a_directory_holds_nothing_else_unless_it_is_merged() -> None:
    found = [a_folder("/s", "a")]
    assert plan([(A_FILE, found)]).exact == {"/d": frozenset({"a"})}
    assert plan([(replace(A_FILE, merge=True), found)]).exact == {}


def test_a_directory_holds_what_other_entries_put_below_it() -> None:
    other = replace(A_FILE, dest="/d/sub/b")
    folder = (A_FILE, [a_folder("/s", "a")])
    expected = {"/d": frozenset({"a", "sub"})}
    assert plan([folder, (other, [a_file("/o")])]).exact == expected
    assert plan([(other, [a_file("/o")]), folder]).exact == expected


def test_sources_that_are_merged_come_together() -> None:
    merged = replace(A_FILE, merge=True)
    targets = plan([(merged, [a_folder("/s", "a")]), (merged, [a_folder("/o", "b")])]).targets
    assert [target.path for target in targets] == ["/d", "/d/a", "/d/b"]


def test_what_must_be_there_belongs_to_its_owner() -> None:
    made = plan([], ("/d", True), ("/d/f", False)).made
    properties = Properties(uid=42436, gid=42436, mode=0o750)
    assert made == (
        Made(place="needed[0]", path="/d", directory=True, properties=properties),
        Made(
            place="needed[1]",
            path="/d/f",
            directory=False,
            properties=replace(properties, mode=0o640),
        ),
    )


def test_a_directory_that_is_replaced_holds_what_must_be_there() -> None:
    made = plan([(A_FILE, [a_folder("/s", "a")])], ("/d/sub", True), ("/d/sub/f", False))
    assert made.exact == {"/d": frozenset({"a", "sub"})}


def test_what_is_copied_is_not_made_as_well() -> None:
    folder = replace(A_FILE, dest="/d")
    assert plan([(folder, [a_folder("/s", "a")])], ("/d", True), ("/d/a", False)).made == ()


CLASHES: dict[str, tuple[ConfigFile, Found, tuple[str, bool], str]] = {
    "a directory that is copied as a file": (
        A_FILE,
        a_file("/s"),
        ("/d", True),
        "needed[0].path: '/d' is a file by config_files[0]",
    ),
    "a file that is copied as a directory": (
        A_FILE,
        a_folder("/s"),
        ("/d", False),
        "needed[0].path: '/d' is a directory by config_files[0]",
    ),
    "a directory below a file": (
        A_FILE,
        a_file("/s"),
        ("/d/x/y", True),
        "needed[0].path: '/d/x/y' lies below '/d', a file by config_files[0]",
    ),
    "a dest below an empty file": (
        replace(A_FILE, dest="/e/x"),
        a_file("/s"),
        ("/e", False),
        "config_files[0].dest: '/e/x' lies below '/e', a file by needed[0]",
    ),
}


@pytest.mark.parametrize("case", CLASHES)
def test_what_must_be_there_and_what_is_copied_do_not_clash(case: str) -> None:
    entry, found, needed, expected = CLASHES[case]
    assert faults([(entry, [found])], needed) == [expected]


def test_one_path_is_not_both_a_directory_and_a_file() -> None:
    told = faults([], ("/d", True), ("/d", False), ("/d/f", False))
    assert told == [
        "needed[2].path: '/d/f' lies below '/d', a file by needed[1]",
        "needed[1].path: '/d' is a directory by needed[0]",
    ]


REFUSED: dict[str, tuple[Sequence[tuple[ConfigFile, Sequence[Found]]], str]] = {
    "a source that is missing": (
        [(A_FILE, [])],
        "config_files[0].source: there is no '/source-0'",
    ),
    "an owner that is missing": (
        [(replace(A_FILE, owner=Owner("nobody")), [a_file("/s")])],
        "config_files[0].owner: there is no 'nobody' in this image",
    ),
    "a dest twice": (
        [(A_FILE, [a_file("/s")]), (A_FILE, [a_file("/o")])],
        "config_files[1].dest: '/d' is written already, by config_files[0] from '/s'",
    ),
    "a glob for one dest": (
        [(A_FILE, [a_file("/s/a"), a_file("/s/b")])],
        "config_files[0].dest: '/d' is written already, by config_files[0] from '/s/a'",
    ),
    "a dest below a file": (
        [(A_FILE, [a_file("/s")]), (replace(A_FILE, dest="/d/x/y"), [a_file("/o")])],
        "config_files[1].dest: '/d/x/y' lies below '/d', a file by config_files[0]",
    ),
    "a dest in its source": (
        [(replace(A_FILE, dest="/s/x"), [a_folder("/s", "a")])],
        "config_files[0].dest: '/s/x' lies in its source '/s'",
    ),
    "a source in its dest": (
        [(A_FILE, [a_folder("/d/x", "a")])],
        "config_files[0].dest: '/d' cannot be replaced with the source '/d/x' in it",
    ),
    "another's source in a dest": (
        [(A_FILE, [a_folder("/s")]), (replace(A_FILE, dest="/e"), [a_file("/d/x")])],
        "config_files[0].dest: '/d' cannot be replaced with the source '/d/x' in it",
    ),
    "a file onto itself": (
        [(A_FILE, [a_file("/d")])],
        "config_files[0].dest: '/d' lies in its source '/d'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused(case: str) -> None:
    entries, expected = REFUSED[case]
    assert faults(entries) == [expected]


def test_an_optional_source_may_be_missing() -> None:
    assert plan([(replace(A_FILE, optional=True), [])]).targets == ()


_NAMES = st.sampled_from(["a", "b", "c"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(lambda names: "/d/" + "/".join(names))


@given(
    dests=st.lists(st.tuples(_PATHS, st.booleans(), st.booleans()), max_size=4),
    needed=st.lists(st.tuples(_PATHS, st.booleans()), max_size=3),
)
def test_a_plan_never_removes_what_it_writes(
    dests: list[tuple[str, bool, bool]], needed: list[tuple[str, bool]]
) -> None:
    entries = [
        (
            replace(A_FILE, dest=dest, merge=merge),
            [a_folder("/s", "a") if folder else a_file("/s")],
        )
        for dest, folder, merge in dests
    ]
    try:
        made = plan(entries, *needed)
    except ContractError:
        return
    for path in [*(one.path for one in made.targets), *(one.path for one in made.made)]:
        folder, _, name = path.rpartition("/")
        assert name in made.exact.get(folder, {name})


@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o700), (0o640, 0o750), (0o644, 0o755)])
def test_who_may_read_a_directory_may_enter_it(mode: int, expected: int) -> None:
    assert directory_mode(mode) == expected
