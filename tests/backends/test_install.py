from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lamina.backends.deb.install import (
    PACKAGES,
    POLICY,
    UNITS,
    Packages,
    account_calls,
    environment,
    install_calls,
)
from lamina.engine.sandbox import Call
from lamina.engine.stack import EMPTY, Stack
from lamina.engine.unit import Directory, UnitFacts
from lamina.model.digest import Digest
from lamina.model.image import Group, ImageId, User
from lamina.model.lock import DpkgCall, LockedImage, UnitRef

VARIABLES = environment(1_700_000_000)


def unit(name: str, architecture: str = "amd64") -> UnitRef:
    return UnitRef(
        name=name,
        version="1",
        architecture=architecture,
        repository="debian",
        path=f"pool/{name}.deb",
        size=1,
        digest=Digest.of(name.encode()),
    )


HUSK = "its preinst runs before it is unpacked"


def facts(name: str, conffiles: Sequence[str] = (), *, husk: str = HUSK) -> UnitFacts:
    return UnitFacts(
        digest=Digest.of(name.encode()),
        name=name,
        instance=name,
        version="1",
        architecture="amd64",
        epoch=0,
        size=0,
        conffiles=tuple(conffiles),
        files=(),
        directories=(),
        links=(),
        husk=husk,
    )


def packages(*refs: UnitRef, real: Sequence[str] = (), conffiles: Sequence[str] = ()) -> Packages:
    return Packages(
        units={ref.name: ref for ref in refs},
        facts={ref.name: facts(ref.name, conffiles) for ref in refs},
        real=real,
        stack=EMPTY,
    )


def recorded(
    *made: UnitFacts, real: Sequence[str] = (), stack: Stack = EMPTY, husks: Sequence[str] = ()
) -> Packages:
    """Return packages whose records can be written down, but for `husks`."""
    by_name = {each.name: replace(each, husk=HUSK * (each.name in husks)) for each in made}
    refs = {name: unit(name) for name in by_name}
    return Packages(units=refs, facts=by_name, real=real, stack=stack)


def locked(*calls: tuple[str, Sequence[str]], bootstrap: Sequence[str] = ()) -> LockedImage:
    return LockedImage(
        id=ImageId("image"),
        parent=None,
        request=Digest.of(b""),
        bootstrap=tuple(bootstrap),
        calls=tuple(
            DpkgCall(action="unpack" if action == "unpack" else "configure", units=tuple(units))
            for action, units in calls
        ),
    )


def dpkg(calls: Sequence[Call]) -> list[tuple[str, ...]]:
    """Return what is said to dpkg beyond what every call says."""
    return [call.argv[3:] for call in calls if call.argv[0] == "dpkg"]


def husk(name: str) -> str:
    return f"{UNITS}/{Digest.of(name.encode()).hex}/husk.deb"


def package(name: str) -> str:
    return f"{PACKAGES}/{Digest.of(name.encode()).hex}"


ACCOUNT = Call(argv=("useradd", "x"), title="user x")


def test_dpkg_is_called_in_the_order_of_the_lock() -> None:
    calls = install_calls(
        locked(("unpack", ["a"]), ("configure", ["a"]), ("unpack", ["b", "c"])),
        packages(unit("a"), unit("b", "all"), unit("c")),
        [ACCOUNT],
        VARIABLES,
    )
    assert dpkg(calls) == [
        ("--path-exclude=/*", "--unpack", husk("a")),
        ("--no-triggers", "--configure", "a:amd64"),
        ("--path-exclude=/*", "--unpack", husk("b"), husk("c")),
        ("--configure", "--pending"),
    ]


def test_services_are_denied_around_all_packages() -> None:
    calls = install_calls(locked(("unpack", ["a"])), packages(unit("a")), [ACCOUNT], VARIABLES)
    assert [call.title for call in calls] == [
        "deny services",
        "user x",
        "unpack a",
        "configure what is left",
        "allow services",
    ]
    assert POLICY in calls[0].argv[-1]
    assert calls[-1].argv[-1] == f"rm -f {POLICY}"


def asking(*names: str, parent: Sequence[str] = ("debconf",), real: Sequence[str] = ()) -> Packages:
    """Return the packages a, b and c over a parent; those of `names` have questions."""
    given = packages(*map(unit, "abc"), real=real)
    told = {name: replace(each, asks=name in names) for name, each in given.facts.items()}
    return replace(given, facts=told, stack=replace(EMPTY, packages=frozenset(parent)))


def test_debconf_learns_of_questions_before_anything_is_unpacked() -> None:
    given = asking("a", "c", real=["c"])
    order = locked(("unpack", ["b", "a"]), ("configure", ["b", "a"]), ("unpack", ["c"]))
    calls = install_calls(order, given, [ACCOUNT], VARIABLES)
    assert [call.title for call in calls][1:4] == ["user x", "preconfigure a c", "unpack b a"]
    assert calls[2].argv[-2:] == (husk("a"), package("c"))
    assert calls[2].environment == VARIABLES


@pytest.mark.parametrize(
    "given",
    [asking(), asking("a", parent=()), asking("a", parent=("debconf-utils",))],
    ids=["nothing to ask", "no debconf", "another package"],
)
def test_where_apt_would_not_preconfigure_nothing_is(given: Packages) -> None:
    calls = install_calls(locked(("unpack", ["a"])), given, [], VARIABLES)
    assert [call.title for call in calls][:2] == ["deny services", "unpack a"]


def test_files_are_named_to_debconf_one_in_a_line(tmp_path: Path) -> None:
    (call,) = (
        call
        for call in install_calls(locked(("unpack", ["a", "b"])), asking("a", "b"), [], VARIABLES)
        if call.title == "preconfigure a b"
    )
    program = tmp_path / "dpkg-preconfigure"
    shell, options, script, *words = call.argv
    script = script.replace("/usr/sbin/dpkg-preconfigure", str(program))
    assert output(shell, options, script, *words) == ""
    program.write_text('#!/bin/sh\necho "$@"\ncat\nexit 1\n')
    program.chmod(0o755)
    told = output(shell, options, script, *words)
    assert told == f"--apt\n{husk('a')}\n{husk('b')}\n"


def output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_essential_packages_come_first_and_then_what_makes_accounts() -> None:
    given = packages(*map(unit, ("a", "b", "passwd")))
    tool = replace(given.facts["passwd"], files=("usr/sbin/useradd",))
    calls = install_calls(
        locked(("unpack", ["b"]), bootstrap=["a", "passwd"]),
        replace(given, facts={**given.facts, "passwd": tool}),
        [ACCOUNT],
        VARIABLES,
    )
    assert dpkg(calls)[1] == ("--no-triggers", "--configure", "a:amd64")
    assert [call.title for call in calls] == [
        "make dpkg's database",
        "deny services",
        "unpack a passwd",
        "configure the essential packages",
        "configure what is left",
        "user x",
        "unpack b",
        "configure what is left",
        "allow services",
    ]


def test_an_image_without_packages_has_only_its_accounts() -> None:
    assert install_calls(locked(), packages(), [ACCOUNT], VARIABLES) == (ACCOUNT,)


def test_what_dpkg_unpacks_itself_keeps_its_place_in_the_order() -> None:
    calls = install_calls(
        locked(("unpack", ["a", "b", "c", "d"])),
        packages(*map(unit, "abcd"), real=["b", "c"]),
        [],
        VARIABLES,
    )
    assert dpkg(calls)[:-1] == [
        ("--path-exclude=/*", "--unpack", husk("a")),
        ("--unpack", package("b"), package("c")),
        ("--path-exclude=/*", "--unpack", husk("d")),
    ]


@pytest.mark.parametrize(
    ("given", "way"),
    [
        (recorded(facts("a")), "record"),
        (recorded(facts("a"), husks=["a"]), "husk"),
        (recorded(facts("a"), real=["a"]), "real"),
        (recorded(facts("a"), husks=["a"], real=["a"]), "real"),
        (recorded(facts("a"), stack=replace(EMPTY, packages=frozenset({"a"}))), "husk"),
        (recorded(facts("a"), stack=replace(EMPTY, packages=frozenset({"b"}))), "record"),
        (recorded(facts("a"), real=["a"], stack=replace(EMPTY, packages=frozenset("a"))), "real"),
    ],
)
def test_a_record_is_written_down_of_what_dpkg_need_not_unpack(given: Packages, way: str) -> None:
    assert given.way("a") == way


def ways(calls: Sequence[Call]) -> list[tuple[str, ...]]:
    """Return of each call that unpacks its last words: what it takes, or writes down."""
    return [call.argv[3:] for call in calls if call.title.startswith("unpack ")]


def record(name: str) -> str:
    return f"{UNITS}/{Digest.of(name.encode()).hex}/record"


def test_records_follow_what_dpkg_unpacks_of_the_same_call() -> None:
    calls = install_calls(
        locked(("unpack", list("abcdef")), ("unpack", ["g"])),
        recorded(*map(facts, "abcdefg"), husks=["c"], real=["d"]),
        [],
        VARIABLES,
    )
    assert ways(calls) == [
        ("--path-exclude=/*", "--unpack", husk("c")),
        ("--unpack", package("d")),
        ("sh", "", *map(record, "abef")),
        ("sh", "", record("g")),
    ]
    titles = [call.title for call in calls if call.title.startswith("unpack ")]
    assert titles == ["unpack c", "unpack d", "unpack a b e f", "unpack g"]


def test_records_come_from_the_units_with_compiled_modules() -> None:
    made = replace(facts("a"), digest=Digest.of(b"compiled"))
    calls = install_calls(locked(("unpack", ["a"])), recorded(made), [], VARIABLES)
    assert ways(calls) == [("sh", "", record("compiled"))]


def test_triggers_count_from_when_a_package_waits_for_them() -> None:
    man = replace(facts("man-db"), interests=("/usr/man",))
    before, after = (replace(facts(name), files=(f"usr/man/{name}",)) for name in "ab")
    before, after = (
        replace(each, directories=(Directory("usr/man", 0o755, 0, 0),)) for each in (before, after)
    )
    given = recorded(before, man, after, husks=["man-db"])
    calls = install_calls(locked(("unpack", ["a", "man-db", "b"])), given, [], VARIABLES)
    assert [words[1] for words in ways(calls) if words[0] == "sh"] == ["/usr/man b\n"]
    # In another image the parent has that package.
    over_man = replace(EMPTY, interests=frozenset({"/usr/man"}))
    calls = install_calls(
        locked(("unpack", ["b"]), bootstrap=["a"]),
        recorded(before, after, stack=over_man),
        [],
        VARIABLES,
    )
    assert [words[1] for words in ways(calls)] == ["/usr/man a\n", "/usr/man b\n"]


def test_a_record_is_appended_as_it_is(tmp_path: Path) -> None:
    made = replace(facts("a"), activates=("%s $(x) `y`",))
    (call,) = (
        call
        for call in install_calls(locked(("unpack", ["a"])), recorded(made), [], VARIABLES)
        if call.title == "unpack a"
    )
    database = tmp_path / "dpkg"
    (database / "triggers").mkdir(parents=True)
    (database / "status").write_text("Package: before\n\n")
    (database / "triggers/Unincorp").write_text("before -\n")
    (tmp_path / "record").write_text("Package: a\n\n")
    words = [
        word.replace("/var/lib/dpkg", str(database)).replace(record("a"), f"{tmp_path}/record")
        for word in call.argv
    ]
    subprocess.run(words, check=True)
    assert (database / "status").read_text() == "Package: before\n\nPackage: a\n\n"
    assert (database / "triggers/Unincorp").read_text() == "before -\n%s $(x) `y` a\n"


def test_only_configuration_files_are_unpacked_from_husks() -> None:
    calls = install_calls(
        locked(("unpack", ["a"])),
        packages(unit("a"), conffiles=["/etc/b", "/etc/a"]),
        [],
        VARIABLES,
    )
    assert dpkg(calls)[0][:3] == (
        "--path-exclude=/*",
        "--path-include=/etc/a",
        "--path-include=/etc/b",
    )


@pytest.mark.parametrize("path", ["/etc/a[b].conf", "/etc/a*b", "/etc/?", "/etc/back\\slash"])
def test_a_configuration_file_is_meant_by_its_name_and_not_as_a_pattern(path: str) -> None:
    calls = install_calls(
        locked(("unpack", ["a"])), packages(unit("a"), conffiles=[path]), [], VARIABLES
    )
    pattern = dpkg(calls)[0][1].removeprefix("--path-include=")
    # The shell's patterns are those of fnmatch(3), which dpkg uses.
    script = "case $1 in ($2) echo yes;; esac; case $3 in ($2) echo no;; esac"
    other = re.sub(r"[*?\[\]\\]", "x", path)
    found = subprocess.run(
        ["sh", "-c", script, "sh", path, pattern, other], capture_output=True, text=True, check=True
    )
    assert found.stdout == "yes\n"


def test_no_call_is_text_for_a_shell_with_names_in_it() -> None:
    calls = install_calls(
        locked(("unpack", ["$(evil)"]), ("configure", ["$(evil)"])),
        packages(unit("$(evil)"), conffiles=["/etc/$(evil)"]),
        [],
        VARIABLES,
    )
    assert not [call for call in calls if call.argv[0] == "/bin/sh" and "evil" in call.argv[2]]


def test_accounts_are_made_in_the_order_of_their_ids() -> None:
    users = [
        User(name="b", uid=300, gid=310, group="b", home="/b", groups=("extra", "more")),
        User(name="a", uid=200, gid=310, group="b", home="/a", shell="/bin/sh"),
    ]
    groups = [Group(name="more", gid=305), Group(name="extra", gid=400)]
    calls = account_calls(groups, users, VARIABLES)
    assert [(call.title, call.argv[-2:]) for call in calls[:3]] == [
        ("group more", ("305", "more")),
        ("group b", ("310", "b")),
        ("group extra", ("400", "extra")),
    ]
    assert [call.argv for call in calls[3:]] == [
        (
            *("useradd", "--system", "--no-log-init", "--no-create-home"),
            *("--uid", "200", "--gid", "310", "--home-dir", "/a", "--shell", "/bin/sh", "a"),
        ),
        (
            *("useradd", "--system", "--no-log-init", "--no-create-home"),
            *("--uid", "300", "--gid", "310", "--home-dir", "/b"),
            *("--shell", "/usr/sbin/nologin", "--groups", "extra,more", "b"),
        ),
    ]


@pytest.mark.parametrize(
    ("there", "done"),
    [("", "--system --gid 305 more"), ("305", ""), ("306", "--system --gid 305 more")],
    ids=["missing", "made by an ancestor", "with another id"],
)
def test_a_group_is_made_unless_it_is_there_with_its_id(
    tmp_path: Path, there: str, done: str
) -> None:
    programs = {
        "getent": f"printf '%s' '{there and f'more:x:{there}:'}'; test -n '{there}'",
        "groupadd": 'echo "$@"',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (call,) = account_calls([Group(name="more", gid=305)], [], VARIABLES)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    told = subprocess.run(call.argv, env=path, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == done


def test_scripts_get_the_epoch_and_nothing_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "x")
    assert VARIABLES["SOURCE_DATE_EPOCH"] == "1700000000"
    assert "SECRET" not in VARIABLES
    assert VARIABLES["DEBIAN_FRONTEND"] == "noninteractive"
