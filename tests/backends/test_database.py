"""What is written down of an unpacked package is what dpkg itself would have written."""

from __future__ import annotations

import dataclasses
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from debian.deb822 import Deb822
from tests.backends.packages import (
    Item,
    control_tarball,
    file,
    folder,
    hard_link,
    link,
    tarball,
    write_package,
)

from lamina.backends.deb.archive import Control
from lamina.backends.deb.database import INFO, Triggers, activations, record, why_husk
from lamina.backends.deb.unit import make_unit
from lamina.engine.merged import LINKS, make_links
from lamina.engine.unit import RECORD, TREE, Directory, UnitFacts
from lamina.model.digest import Digest
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.tree import scan_tree

STATUS = "var/lib/dpkg/status"
TRIGGERS = "var/lib/dpkg/triggers"
UNINCORP = f"{TRIGGERS}/Unincorp"
MD5SUMS = file("./md5sums", b"9a0364b9e99bb480dd25e1f0284c8555  usr/share/sample/file\n")
SCRIPT = b"#!/bin/sh\nexit 0\n"
USUAL = (
    folder("./"),
    folder("./usr/"),
    folder("./usr/share/"),
    folder("./usr/share/sample/"),
    file("./usr/share/sample/file"),
)
MERGED = (
    folder("./"),
    folder("./lib/"),
    folder("./lib/sample/", 0o711),
    file("./lib/sample/file"),
    hard_link("./lib/sample/again", "./lib/sample/file"),
    link("./lib/sample/link", "file"),
    folder("./bin/"),
    file("./bin/sample", mode=0o4755),
    folder("./usr/"),
    folder("./usr/lib/"),
    folder("./usr/lib/sample/", 0o700),
    file("./usr/lib/sample/other"),
    folder("./lib64/"),
)


def triggers(*lines: str) -> Item:
    return file("./triggers", "".join(f"{line}\n" for line in lines).encode())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A package: its fields, and what is in its two tarballs."""

    name: str = "sample"
    version: str = "1.0"
    architecture: str = "all"
    fields: str = ""
    members: tuple[Item, ...] = (MD5SUMS,)
    items: tuple[Item, ...] = USUAL

    def write(self, place: Path) -> Path:
        control = control_tarball(
            self.name,
            version=self.version,
            architecture=self.architecture,
            members=self.members,
            fields=self.fields,
        )
        return write_package(place / f"{self.name}.deb", control, tarball(self.items))


RICH = """\
Source: samples (1.0-2)
Section: misc
Priority: optional
Installed-Size: 42
Provides: thing (= 2), other
Recommends: tree
X-Own-Field: kept: as it is
Homepage: https://example.com/~sample
Tag: role::program,
 works-with::text
"""
UNPACKED: dict[str, Case] = {
    "plain": Case(),
    "many fields": Case(fields=RICH),
    "for one architecture": Case(architecture="amd64"),
    "for several architectures at once": Case(architecture="amd64", fields="Multi-Arch: same\n"),
    "of use to foreign ones": Case(architecture="amd64", fields="Multi-Arch: foreign\n"),
    "scripts and odd modes": Case(
        members=(
            MD5SUMS,
            file("./postinst", SCRIPT, 0o711),
            file("./prerm", SCRIPT, 0o555),
            file("./postrm", SCRIPT, 0o775),
            file("./shlibs", b"libsample 1 sample\n", 0o664),
            file("./symbols", b"libsample.so.1 sample\n", 0o600),
            file("./templates", "Template: sample/größe\n".encode(), 0o640),
            file("./of-its-own", b"x"),
            triggers("activate-noawait ldconfig"),
        )
    ),
    "entries of every sort": Case(
        items=(
            *USUAL,
            hard_link("./usr/share/sample/again", "./usr/share/sample/file"),
            link("./usr/share/sample/second", "file"),
            link("./usr/share/sample/first", "second"),
            file("./usr/share/sample/größe und maß"),
            file("./usr/share/sample/bytes-\udcff"),
            folder("./var/"),
            folder("./var/lib/"),
            folder("./var/lib/sample/", 0o700),
        )
    ),
    "paths through links into /usr": Case(items=MERGED),
    "names without a dot": Case(items=(folder("usr/"), file("usr/sample"))),
    "an empty list": Case(members=(file("./md5sums", b""),), items=(folder("./"),)),
}
Database = Mapping[str, tuple[int, bytes]]


def new_root(place: Path) -> Path:
    """Make a root with nothing in it but an empty database and the links into /usr."""
    for name in ("info", "updates", "triggers"):
        (place / "var/lib/dpkg" / name).mkdir(parents=True)
    for name in LINKS:
        (place / "usr" / name).mkdir(parents=True)
    make_links(place, [place])
    for name in ("status", "available"):
        (place / "var/lib/dpkg" / name).touch()
    return place


def dpkg(root: Path, *words: str | Path) -> None:
    """Call dpkg over a root; scripts run outside it, for it holds no shell."""
    options = ("--force-unsafe-io", "--force-depends", "--force-script-chrootless")
    told = subprocess.run(
        ["dpkg", f"--root={root}", *options, f"--log={root}.log", *words],
        capture_output=True,
        text=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert told.returncode == 0, told.stderr


def write_down(root: Path, packages: Sequence[Path], interests: Sequence[str] = ()) -> None:
    """Lay units over a root, and write their records down as lamina does."""
    made = []
    for number, package in enumerate(packages):
        unit = root.with_name(f"{root.name}-unit-{number}")
        unit.mkdir()
        made.append(make_unit(package, unit, Digest.of(package.read_bytes())))
        assert made[-1].husk == ""
        assert made[-1].real == ""
        subprocess.run(["cp", "-a", f"{unit}/{TREE}/.", root], check=True)
        with (root / STATUS).open("a") as status:
            status.write((unit / RECORD).read_text())
    with (root / UNINCORP).open("a") as file_:
        file_.writelines(f"{line}\n" for line in activations((each, interests) for each in made))


def info_of(root: Path) -> Database:
    """Return the files of dpkg's `info`, but for the one that tells its format."""
    return {
        path.name: (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in (root / INFO).iterdir()
        if path.name != "format"
    }


def contents(folder_: Path) -> Mapping[str, bytes]:
    """Return the files of a folder that have any content."""
    found = {path.name: path.read_bytes() for path in folder_.iterdir()}
    return {name: content for name, content in found.items() if content}


def replace_source(entry: Entry) -> Entry:
    """Return an entry without its place on disk, and directories without their times."""
    mtime = 0 if entry.kind is EntryKind.DIRECTORY else entry.mtime
    return dataclasses.replace(entry, source=None, mtime=mtime)


def records_of(root: Path) -> Mapping[str, Mapping[str, str]]:
    """Return the fields of every package in the database."""
    text = (root / STATUS).read_text()
    return {fields["Package"]: dict(fields) for fields in Deb822.iter_paragraphs(text)}


def awaited(root: Path) -> Mapping[str, tuple[set[str], set[str]]]:
    """Return of every package which triggers it has yet to handle, and whom it waits for."""
    return {
        name: (
            set(fields.get("Triggers-Pending", "").split()),
            set(fields.get("Triggers-Awaited", "").split()),
        )
        for name, fields in records_of(root).items()
    }


@pytest.mark.real
@pytest.mark.parametrize("case", UNPACKED.values(), ids=UNPACKED)
def test_the_database_holds_what_dpkg_writes_as_it_unpacks(case: Case, tmp_path: Path) -> None:
    package = case.write(tmp_path)
    ours, theirs = new_root(tmp_path / "ours"), new_root(tmp_path / "theirs")
    dpkg(theirs, "--unpack", package)
    write_down(ours, [package])
    assert info_of(ours) == info_of(theirs)
    assert records_of(ours) == records_of(theirs)


@pytest.mark.real
@pytest.mark.parametrize("case", UNPACKED.values(), ids=UNPACKED)
def test_dpkg_configures_what_was_written_down_as_what_it_unpacked(
    case: Case, tmp_path: Path
) -> None:
    package = case.write(tmp_path)
    ours, theirs = new_root(tmp_path / "ours"), new_root(tmp_path / "theirs")
    dpkg(theirs, "--unpack", package)
    write_down(ours, [package])
    for root in (ours, theirs):
        dpkg(root, "--configure", "--pending")
    assert (ours / STATUS).read_text() == (theirs / STATUS).read_text()
    assert info_of(ours) == info_of(theirs)


@pytest.mark.real
def test_what_lies_behind_a_link_into_usr_lies_where_dpkg_puts_it(tmp_path: Path) -> None:
    package = Case(items=MERGED).write(tmp_path)
    ours, theirs = new_root(tmp_path / "ours"), new_root(tmp_path / "theirs")
    dpkg(theirs, "--unpack", package)
    write_down(ours, [package])
    described = [
        [replace_source(entry) for entry in scan_tree(root) if not entry.path.startswith("var")]
        for root in (ours, theirs)
    ]
    assert described[0] == described[1]
    assert [entry.path for entry in described[0] if entry.kind is EntryKind.HARDLINK]


INTERESTED = Case(
    name="interested",
    members=(
        file("./postinst", SCRIPT, 0o755),
        triggers(
            *("interest by-name", "interest-await by-name-await", "interest-noawait by-nobody"),
            *("interest /usr/share/sample", "interest-noawait /usr/share/sample/file"),
            *("interest /usr/share/sam", "interest /usr/share/sample/file/below", "interest /opt"),
            *("interest /lib/sample", "interest-noawait /lib", "interest /usr/lib/sample"),
            "interest /usr/lib",
        ),
    ),
    items=(folder("./"),),
)
ACTIVATING = {
    "activate": ("activate by-name",),
    "activate-await": ("activate-await by-name-await",),
    "activate-noawait": ("activate-noawait by-name",),
    "a trigger that is not waited for": ("activate by-nobody",),
    "a trigger that nobody knows": ("activate unheard-of",),
    "all at once, and twice": (
        *("activate by-name", "activate-noawait by-name", "activate by-name"),
        *("  activate-await   by-name-await  ", "  # activate by-nobody", ""),
    ),
    "none by name": ("# nothing",),
}


@pytest.mark.real
@pytest.mark.parametrize("lines", ACTIVATING.values(), ids=ACTIVATING)
@pytest.mark.parametrize(
    "items", [USUAL, (folder("./"), folder("./opt/")), MERGED[:4]], ids=["file", "folder", "merged"]
)
def test_the_same_triggers_are_activated(
    lines: Sequence[str], items: Sequence[Item], tmp_path: Path
) -> None:
    interested = INTERESTED.write(tmp_path)
    case = Case(members=(MD5SUMS, triggers(*lines)), items=tuple(items))
    second = dataclasses.replace(case, name="second", members=(MD5SUMS,), items=(folder("./"),))
    packages = [case.write(tmp_path), second.write(tmp_path)]
    ours, theirs = new_root(tmp_path / "ours"), new_root(tmp_path / "theirs")
    for root in (ours, theirs):
        dpkg(root, "--install", interested)
    (tmp_path / "interested").mkdir()
    interests = make_unit(interested, tmp_path / "interested", Digest.of(b"")).interests
    write_down(ours, packages, interests)
    dpkg(theirs, "--no-triggers", "--unpack", *packages)
    for root in (ours, theirs):
        # dpkg takes up what it has yet to look at, here from the list that was written down.
        dpkg(root, "--no-triggers", "--configure", "second")
    assert awaited(ours) == awaited(theirs)
    for root in (ours, theirs):
        dpkg(root, "--configure", "--pending")
    assert (ours / STATUS).read_text() == (theirs / STATUS).read_text()
    assert contents(ours / TRIGGERS) == contents(theirs / TRIGGERS)


@pytest.mark.real
def test_a_record_is_sound_whichever_field_comes_first(tmp_path: Path) -> None:
    text = (
        "Description: of several lines\n which go on\n .\n and end\nPackage: sample\n"
        "Version: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n"
    )
    control = tarball([folder("./"), file("./control", text.encode()), MD5SUMS])
    package = write_package(tmp_path / "sample.deb", control, tarball(USUAL))
    ours, theirs = new_root(tmp_path / "ours"), new_root(tmp_path / "theirs")
    dpkg(theirs, "--unpack", package)
    write_down(ours, [package])
    assert records_of(ours) == records_of(theirs)


@pytest.mark.real
def test_records_of_several_packages_follow_each_other(tmp_path: Path) -> None:
    packages = [Case(name=name).write(tmp_path) for name in ("one", "two", "three")]
    root = new_root(tmp_path / "root")
    write_down(root, packages)
    assert list(records_of(root)) == ["one", "two", "three"]
    dpkg(root, "--audit")
    dpkg(root, "--remove", "two")
    assert {name: fields["Status"] for name, fields in records_of(root).items()} == {
        "one": "install ok unpacked",
        "three": "install ok unpacked",
    }


def a_control(**files: str) -> Control:
    """Return what a control tarball says that has a control file, checksums and these files."""
    contents = {
        "control": b"Package: sample\nVersion: 1\n\n",
        "md5sums": b"",
        **{name: text.encode() for name, text in files.items()},
    }
    return Control(
        member="control.tar", content=b"", files=contents, modes=dict.fromkeys(contents, 0o644)
    )


HUSKS: dict[str, tuple[Control, str]] = {
    "nothing of it": (a_control(), ""),
    "scripts that run later": (a_control(postinst="x", prerm="x", postrm="x"), ""),
    "triggers that it activates": (a_control(triggers="activate a\nactivate-noawait b\n"), ""),
    "no configuration files after all": (a_control(conffiles="\n"), ""),
    "a preinst": (a_control(preinst="x"), "its preinst runs before it is unpacked"),
    "configuration files": (
        a_control(conffiles="/etc/x\n"),
        "dpkg sets its configuration files aside",
    ),
    "configuration files that go": (
        a_control(conffiles="remove-on-upgrade /etc/x\n"),
        "dpkg sets its configuration files aside",
    ),
    "triggers that it waits for": (
        a_control(triggers="activate a\ninterest-noawait b\n"),
        "dpkg notes the triggers that it waits for",
    ),
    "no checksums": (
        dataclasses.replace(a_control(), files={"control": b"Package: sample\n"}),
        "dpkg computes its checksums",
    ),
}


@pytest.mark.parametrize("case", HUSKS)
def test_dpkg_must_unpack_the_husk_itself(case: str) -> None:
    control, reason = HUSKS[case]
    assert why_husk(control) == reason


def test_triggers_are_read_by_what_they_ask_for() -> None:
    found = Triggers.parse(
        "# a comment\n\n #interest a\ninterest z#\n interest-await /y\ninterest-noawait x\n"
        "activate c\nactivate-await b\nactivate-noawait a\ninterest z#\n"
        "activate\nunknown thing\n"
    )
    assert found == Triggers(interests=("/y", "x", "z#"), activates=("b", "c"), notifies=("a",))


def facts(
    instance: str,
    *,
    files: Sequence[str] = (),
    activates: Sequence[str] = (),
    notifies: Sequence[str] = (),
) -> UnitFacts:
    name = instance.partition(":")[0]
    folders = sorted({str(above) for path in files for above in Path(path).parents} - {"."})
    return UnitFacts(
        digest=Digest.of(instance.encode()),
        name=name,
        instance=instance,
        version="1",
        architecture="all",
        epoch=0,
        size=0,
        conffiles=(),
        files=tuple(files),
        directories=tuple(Directory(path, 0o755, 0, 0) for path in folders),
        links=(),
        activates=tuple(activates),
        notifies=tuple(notifies),
    )


def test_activations_are_sorted_and_name_each_package_once() -> None:
    units = [
        facts("z:amd64", files=["usr/lib/x.so"], activates=["b", "a"], notifies=["c"]),
        facts("y", files=["usr/share/man/man1/y.1"], activates=["a"], notifies=["a"]),
    ]
    interests = ["/usr/share/man", "/usr/lib", "/usr/share/ma", "named", "/usr/lib/x.so/y"]
    recorded = [(unit, interests) for unit in units]
    assert activations(recorded) == (
        "/usr/lib z:amd64",
        "/usr/share/man y",
        "a - y z:amd64",
        "b z:amd64",
        "c -",
    )
    assert activations(recorded[::-1]) == activations(recorded)


def test_a_trigger_counts_for_what_is_unpacked_once_a_package_waits_for_it() -> None:
    before, after = (facts(name, files=[f"usr/share/man/{name}"]) for name in ("x", "y"))
    assert activations([(before, []), (after, ["/usr/share/man"])]) == ("/usr/share/man y",)


def test_the_database_in_a_unit_is_none_of_the_package_s_paths() -> None:
    database = [f"{INFO}/x.list", f"{INFO}/x.md5sums"]
    interests = ["/var", "/var/lib", f"/{INFO}", f"/{INFO}/x.list"]
    assert activations([(facts("x", files=["usr/bin/x", *database]), interests)]) == ()
    assert activations([(facts("x", files=["var/lib/x/y", *database]), interests)]) == (
        "/var x",
        "/var/lib x",
    )


def test_what_a_unit_has_beside_its_package_activates_nothing() -> None:
    own, cache = "usr/lib/python3/x.py", "usr/lib/python3/__pycache__"
    derived = (cache, f"{cache}/x.pyc")
    interests = [f"/{path}" for path in ("usr/lib/python3", own, *derived)]
    unit = facts("x", files=[own, f"{cache}/x.pyc"])
    assert len(activations([(unit, interests)])) == len(interests)
    unit = dataclasses.replace(unit, derived=derived)
    assert activations([(unit, interests)]) == ("/usr/lib/python3 x", f"/{own} x")


def test_without_triggers_there_are_no_activations() -> None:
    assert activations([(facts("x", files=["usr/bin/x"]), ["/opt", "usr"])]) == ()


def test_a_record_ends_with_an_empty_line_whatever_the_control_file_ends_with() -> None:
    assert record(a_control()) == "Package: sample\nVersion: 1\nStatus: install ok unpacked\n\n"


@pytest.mark.real
def test_scripts_of_the_package_are_in_its_tree_as_dpkg_would_run_them(tmp_path: Path) -> None:
    script = file("./postinst", b'#!/bin/sh\necho ran > "$DPKG_ROOT/ran"\n', 0o755)
    root = new_root(tmp_path / "root")
    write_down(root, [Case(members=(MD5SUMS, script)).write(tmp_path)])
    dpkg(root, "--configure", "sample")
    assert (root / "ran").read_text() == "ran\n"
