from __future__ import annotations

import dataclasses
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.backends.packages import (
    COMPRESSIONS,
    LONG_AGO,
    Item,
    control_tarball,
    file,
    folder,
    hard_link,
    link,
    listing,
    read_archive,
    sample,
    tarball,
    write_package,
)

from lamina.backends.deb.database import INFO
from lamina.backends.deb.unit import make_unit, tree_path
from lamina.engine.stack import ancestors
from lamina.engine.unit import HUSK, TREE, Directory, UnitFacts
from lamina.model.digest import Digest
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.tree import scan_tree

pytestmark = pytest.mark.real

DIGEST = Digest.of(b"sample")
DATABASE = tuple(Directory(path, 0o755, 0, 0) for path in (*ancestors(INFO), INFO))
LONG = "d" * 60
USUAL = (
    folder("./"),
    folder("./etc/"),
    file("./etc/sample.conf", b"setting = 1\n"),
    folder("./usr/"),
    folder("./usr/bin/"),
    file("./usr/bin/sample", b"program" * 5000, 0o755),
)
CASES: dict[str, tuple[Sequence[Item], Sequence[str]]] = {
    "usual": (USUAL, ["/etc/sample.conf"]),
    "no configuration files": (USUAL, []),
    "an empty configuration file": (
        [*USUAL[:2], file("./etc/empty", b""), file("./etc/full")],
        ["/etc/empty", "/etc/full"],
    ),
    "directories only": ([folder("./"), folder("./a/"), folder("./a/b/", 0o2775)], []),
    "nothing at all": ([folder("./")], []),
    "names over 100 bytes": (
        [folder(f"./{LONG}/"), folder(f"./{LONG}/{LONG}/"), file(f"./{LONG}/{LONG}/{LONG}")],
        [],
    ),
    "names over 256 bytes": (
        [
            *(folder("./" + "/".join([LONG] * depth) + "/") for depth in range(1, 6)),
            file("./" + "/".join([LONG] * 5) + "/" + "f" * 255),
            link("./far", "/".join([LONG] * 5) + "/" + "f" * 255),
            hard_link("./near", "./" + "/".join([LONG] * 5) + "/" + "f" * 255),
        ],
        [],
    ),
    "links": (
        [
            *USUAL,
            hard_link("./usr/bin/again", "./usr/bin/sample"),
            link("./usr/bin/there", "sample"),
            hard_link("./usr/bin/linked-link", "./usr/bin/there"),
            link("./usr/bin/absolute", "/etc/passwd"),
            link("./usr/bin/dangling", "../../../../nowhere"),
        ],
        [],
    ),
    "modes and owners": (
        [
            folder("./"),
            folder("./mail/", 0o2775, uid=0, gid=8),
            file("./mail/roots"),
            folder("./sticky/", 0o1777),
            dataclasses.replace(file("./su", mode=0o4755), uid=0, user="root"),
            dataclasses.replace(file("./sg", mode=0o2755), gid=42, group="shadow"),
            dataclasses.replace(file("./none", mode=0), uid=54321, user=""),
            dataclasses.replace(file("./both"), uid=7, gid=9, user="", group=""),
            dataclasses.replace(link("./link", "su"), uid=7, gid=9, user="", group=""),
        ],
        [],
    ),
    "fifos": ([folder("./"), Item(path="./fifo", type=tarfile.FIFOTYPE, mode=0o620)], []),
    "names that are not plain": (
        [
            folder("./"),
            folder("./größe und maß/"),
            file("./größe und maß/日本語"),
            file("./-rf"),
            file("./.hidden"),
            file("./..three"),
            file("./back\\slash\ttab"),
            file("./bytes-\udcff\udcfe"),
            link("./to-bytes", "bytes-\udcff\udcfe"),
        ],
        [],
    ),
    "names without a dot before them": (
        [folder("usr/"), folder("usr/bin/"), file("usr/bin/x"), file(".hidden"), file("..odd")],
        [],
    ),
    "content that fills blocks exactly": (
        [folder("./"), file("./one", bytes(512)), file("./two", bytes(1024)), file("./no", b"")],
        [],
    ),
}


def reference(package: Path, conffiles: Sequence[str], facts: UnitFacts, place: Path) -> Path:
    """Unpack as dpkg-deb does, without the configuration files, with what dpkg keeps in `info`."""
    subprocess.run(["dpkg-deb", "--extract", str(package), str(place)], check=True)
    for path in conffiles:
        (place / path.lstrip("/")).unlink()
    if facts.real:
        return place
    info = place / INFO
    info.mkdir(parents=True)
    subprocess.run(["dpkg-deb", "--control", str(package), str(info)], check=True)
    (info / "control").unlink()
    for file_ in sorted(info.iterdir()):
        file_.rename(info / f"{facts.instance}.{file_.name}")
    names = (name.removeprefix("./") for name in entry_names(package))
    listing = "".join(f"/{name}\n" for name in names)
    (info / f"{facts.instance}.list").write_bytes(os.fsencode(listing))
    for file_ in info.iterdir():
        os.utime(file_, (facts.epoch, facts.epoch))
    for folder_ in (info, *info.parents[:3]):
        folder_.chmod(0o755)
    return place


def entry_names(package: Path) -> Sequence[str]:
    """Return the names of the package's entries as dpkg lists them: in order, then the links."""
    arguments = ["dpkg-deb", "--fsys-tarfile", str(package)]
    data = subprocess.run(arguments, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [info.name for info in sorted(tar, key=tarfile.TarInfo.issym)]


def described(tree: Path) -> Sequence[tuple[Entry, bytes]]:
    """Return all that a tree holds; directories without times, which GNU tar does not set well."""
    return [
        (
            dataclasses.replace(
                entry, source=None, mtime=0 if entry.kind is EntryKind.DIRECTORY else entry.mtime
            ),
            Path(entry.source).read_bytes() if entry.source else b"",
        )
        for entry in scan_tree(tree)
    ]


def file_contents(package: Path) -> dict[str, bytes]:
    """Return the content of the regular files in a package that have any."""
    arguments = ["dpkg-deb", "--fsys-tarfile", str(package)]
    data = subprocess.run(arguments, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            info.name: extracted.read()
            for info in tar
            if info.isreg() and info.size and (extracted := tar.extractfile(info))
        }


def check_unit(package: Path, conffiles: Sequence[str], place: Path) -> UnitFacts:
    """Make a unit and compare all of it with what dpkg-deb makes of the package."""
    unit = place / "unit"
    unit.mkdir()
    facts = make_unit(package, unit, DIGEST)
    right = reference(package, conffiles, facts, place / "reference")
    assert described(unit / TREE) == described(right)
    assert listing(unit / HUSK) == listing(package)
    assert read_archive(unit / HUSK)[1] == read_archive(package)[1]
    assert file_contents(unit / HUSK) == {
        name: content
        for name, content in file_contents(package).items()
        if name.removeprefix(".") in conffiles
    }
    assert UnitFacts.from_json(facts.to_json()) == facts
    return facts


@pytest.mark.parametrize(
    ("case", "compression"),
    [*((case, ".xz") for case in CASES), *(("usual", name) for name in COMPRESSIONS)],
)
def test_a_unit_has_the_tree_and_the_entries_of_its_package(
    case: str, compression: str, tmp_path: Path
) -> None:
    items, conffiles = CASES[case]
    package = write_package(
        tmp_path / "sample.deb",
        control_tarball(conffiles=conffiles),
        tarball(items),
        compression=compression,
        level=compression,
    )
    facts = check_unit(package, conffiles, tmp_path)
    assert facts.conffiles == tuple(conffiles)


def test_a_package_made_by_dpkg_deb_becomes_a_unit(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN/control").write_text(
        "Package: built\nVersion: 1:2.0-1\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@example.com>\nDescription: built\n"
    )
    (source / "DEBIAN/conffiles").write_text("/etc/built\n")
    (source / "etc").mkdir()
    (source / "etc/built").write_text("x")
    (source / "usr").mkdir()
    (source / "usr/one").write_text("y")
    (source / "usr/two").hardlink_to(source / "usr/one")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", str(source), str(tmp_path / "built.deb")],
        check=True,
        capture_output=True,
    )
    facts = check_unit(tmp_path / "built.deb", ["/etc/built"], tmp_path)
    assert (facts.name, facts.version, facts.architecture) == ("built", "1:2.0-1", "all")


def test_facts_say_what_is_in_the_tree(tmp_path: Path) -> None:
    items = [
        *USUAL,
        link("./usr/bin/link", "sample"),
        dataclasses.replace(folder("./usr/late/", 0o2750, gid=4), mtime=LONG_AGO + 5),
    ]
    (tmp_path / "unit").mkdir()
    package = sample(tmp_path / "sample.deb", items, conffiles=["/etc/sample.conf"])
    facts = make_unit(package, tmp_path / "unit", DIGEST)
    assert facts.digest == DIGEST
    assert facts.files == (
        "usr/bin/link",
        "usr/bin/sample",
        f"{INFO}/sample.conffiles",
        f"{INFO}/sample.list",
    )
    assert facts.links == ("usr/bin/link",)
    assert facts.directories == (
        Directory("etc", 0o755, 0, 0),
        Directory("usr", 0o755, 0, 0),
        Directory("usr/bin", 0o755, 0, 0),
        Directory("usr/late", 0o2750, 0, 4),
        *DATABASE,
    )
    info = tmp_path / "unit" / TREE / INFO
    database = sum(path.stat().st_size for path in info.iterdir())
    assert facts.size == len(b"program" * 5000) + database
    assert facts.epoch == LONG_AGO + 5
    assert facts.real == ""


def test_directories_have_the_times_of_the_package(tmp_path: Path) -> None:
    times = {"a": 100, "a/b": 300, "a/b/c": 200}
    items = [
        item
        for path, mtime in times.items()
        for item in (
            dataclasses.replace(folder(f"./{path}/"), mtime=mtime),
            file(f"./{path}/file"),
        )
    ]
    (tmp_path / "unit").mkdir()
    make_unit(sample(tmp_path / "sample.deb", items), tmp_path / "unit", DIGEST)
    tree = tmp_path / "unit" / TREE
    assert {path: (tree / path).stat().st_mtime for path in times} == times
    # Those that the package does not list have its newest time, and never that of the making.
    unlisted = ["", *(directory.path for directory in DATABASE)]
    assert {(tree / path).stat().st_mtime for path in unlisted} == {LONG_AGO}


def test_the_umask_does_not_show_in_a_unit(tmp_path: Path) -> None:
    items = [file("./not/said/file", mode=0o644), folder("./said/", 0o755)]
    package = sample(tmp_path / "sample.deb", items)
    (tmp_path / "unit").mkdir()
    before = os.umask(0o077)
    try:
        facts = make_unit(package, tmp_path / "unit", DIGEST)
    finally:
        os.umask(before)
    assert facts.directories == (
        Directory("not", 0o755, 0, 0),
        Directory("not/said", 0o755, 0, 0),
        Directory("said", 0o755, 0, 0),
        *DATABASE,
    )
    modes = {entry.path: entry.mode for entry in scan_tree(tmp_path / "unit" / TREE)}
    assert modes == {
        "not": 0o755,
        "not/said": 0o755,
        "not/said/file": 0o644,
        "said": 0o755,
        **{directory.path: 0o755 for directory in DATABASE},
        f"{INFO}/sample.list": 0o644,
    }


def test_the_group_of_the_folder_around_does_not_show_in_a_unit(tmp_path: Path) -> None:
    around = tmp_path / "unit"
    around.mkdir()
    os.chown(around, 0, 8)
    around.chmod(0o2775)
    items = [file("./not/said/file"), folder("./said/"), file("./said/file"), link("./link", "x")]
    make_unit(sample(tmp_path / "sample.deb", items), around, DIGEST)
    entries = scan_tree(around / TREE)
    assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}
    assert {entry.mode for entry in entries} == {0o755, 0o644, 0o777}


def test_a_package_makes_the_same_husk_every_time(tmp_path: Path) -> None:
    package = sample(tmp_path / "sample.deb", USUAL, conffiles=["/etc/sample.conf"])
    husks = set()
    for number in range(2):
        unit = tmp_path / str(number)
        unit.mkdir()
        make_unit(package, unit, DIGEST)
        husks.add((unit / HUSK).read_bytes())
    assert len(husks) == 1


REAL = {
    "a user that packages make": dataclasses.replace(file("./x"), uid=104, user="mysql"),
    "a group that packages make": dataclasses.replace(file("./x"), gid=999, group="ceph"),
    "a user by name only": dataclasses.replace(file("./x"), user="mysql"),
    "a group by name only": dataclasses.replace(folder("./x/"), group="ceph"),
    "a configuration file that is a link": link("./etc/conf", "elsewhere"),
}


@pytest.mark.parametrize("case", REAL)
def test_dpkg_must_unpack_itself(case: str, tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    package = sample(tmp_path / "sample.deb", [folder("./"), REAL[case]], conffiles=["/etc/conf"])
    assert make_unit(package, tmp_path / "unit", DIGEST).real


def test_a_hard_link_to_a_configuration_file_is_left_to_dpkg(tmp_path: Path) -> None:
    items = [*USUAL, hard_link("./usr/bin/conf", "./etc/sample.conf")]
    (tmp_path / "unit").mkdir()
    package = sample(tmp_path / "sample.deb", items, conffiles=["/etc/sample.conf"])
    facts = make_unit(package, tmp_path / "unit", DIGEST)
    assert "usr/bin/conf" in facts.real
    assert "usr/bin/conf" in facts.files
    assert listing(tmp_path / "unit" / HUSK) == listing(package)


@pytest.mark.parametrize("name", ["bin", "sbin", "lib", "lib64"])
def test_the_links_into_usr_themselves_are_shared(name: str, tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    package = sample(tmp_path / "sample.deb", [folder("./"), link(f"./{name}", f"usr/{name}")])
    assert make_unit(package, tmp_path / "unit", DIGEST).real == ""


def test_what_is_named_through_a_link_into_usr_lies_where_that_leads(tmp_path: Path) -> None:
    items = [
        folder("./"),
        folder("./lib/", 0o700),
        folder("./lib/sample/", 0o711),
        file("./lib/sample/x"),
        link("./lib/sample/y", "x"),
        folder("./usr/lib/sample/", 0o700),
        file("./lib/sample.conf"),
    ]
    (tmp_path / "unit").mkdir()
    package = sample(tmp_path / "sample.deb", items, conffiles=["/lib/sample.conf"])
    facts = make_unit(package, tmp_path / "unit", DIGEST)
    assert facts.real == ""
    assert facts.files[:2] == ("usr/lib/sample/x", "usr/lib/sample/y")
    assert facts.links == ("usr/lib/sample/y",)
    # As dpkg: what the link leads to stays as it is, and the first of two directories counts.
    assert facts.directories[:3] == (
        Directory("usr", 0o755, 0, 0),
        Directory("usr/lib", 0o755, 0, 0),
        Directory("usr/lib/sample", 0o711, 0, 0),
    )
    names = ("lib", "lib/sample", "lib/sample.conf", "lib/sample/x", "lib/sample/y")
    assert facts.listed == (*names, "usr/lib/sample")
    assert facts.conffiles == ("/lib/sample.conf",)
    assert file_contents(tmp_path / "unit" / HUSK) == {"./lib/sample.conf": b"content\n"}
    assert listing(tmp_path / "unit" / HUSK) == listing(package)
    assert UnitFacts.from_json(facts.to_json()) == facts


def test_two_names_of_one_path_are_left_to_dpkg(tmp_path: Path) -> None:
    items = [folder("./"), file("./lib/x", b"one"), file("./usr/lib/x", b"other"), file("./y")]
    (tmp_path / "unit").mkdir()
    package = sample(tmp_path / "sample.deb", items)
    facts = make_unit(package, tmp_path / "unit", DIGEST)
    assert facts.real == "lib/x and usr/lib/x are one path where /usr is merged"
    assert facts.files == ("usr/lib/x", "y")
    assert listing(tmp_path / "unit" / HUSK) == listing(package)


def test_modules_that_dpkg_calls_otherwise_are_compiled_in_the_images(tmp_path: Path) -> None:
    script = {"postinst": "py3compile -p sample /usr/lib/sample\n"}
    calls = []
    for number, names in enumerate(([], ["./lib/sample/x.py"], ["./lib/sample/x"])):
        items = [folder("./"), file("./usr/lib/sample/y.py"), *map(file, names)]
        control = control_tarball(scripts=script)
        package = write_package(tmp_path / f"{number}.deb", control, tarball(items))
        (tmp_path / str(number)).mkdir()
        calls.append(make_unit(package, tmp_path / str(number), DIGEST).compiles)
    assert calls == [("-p sample /usr/lib/sample",), (), ("-p sample /usr/lib/sample",)]


def test_lines_of_conffiles_with_a_flag_name_no_file_of_the_package(tmp_path: Path) -> None:
    package = sample(
        tmp_path / "sample.deb",
        [folder("./"), folder("./etc/"), file("./etc/kept \x0b\u2028")],
        conffiles=["remove-on-upgrade /etc/old", "/etc/kept \x0b\u2028"],
    )
    (tmp_path / "unit").mkdir()
    facts = make_unit(package, tmp_path / "unit", DIGEST)
    assert facts.conffiles == ("/etc/kept \x0b\u2028",)
    assert facts.files == (f"{INFO}/sample.conffiles", f"{INFO}/sample.list")


@pytest.mark.parametrize("asks", [True, False])
def test_a_package_with_templates_has_questions(asks: bool, tmp_path: Path) -> None:
    members = [file("./templates", b"Template: sample/one\n")] if asks else []
    control = control_tarball("sample", members=members)
    package = write_package(tmp_path / "sample.deb", control, tarball([folder("./")]))
    (tmp_path / "unit").mkdir()
    assert make_unit(package, tmp_path / "unit", DIGEST).asks == asks


TREE_PATHS = {
    "./": "",
    ".": "",
    "./usr/bin/x": "usr/bin/x",
    "./usr/": "usr",
    "usr/bin": "usr/bin",
    "./.hidden": ".hidden",
    ".hidden": ".hidden",
    "..x": "..x",
    "./...": "...",
}


@pytest.mark.parametrize("name", TREE_PATHS)
def test_a_name_means_a_path(name: str) -> None:
    assert tree_path(name) == TREE_PATHS[name]


names = st.text(
    st.characters(exclude_characters="/\0\n", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", ".."))
modes = st.sampled_from([0o644, 0o755, 0o600, 0o4755, 0o2755, 0o1777, 0])
owners = st.sampled_from([0, 1, 8, 42, 1000, 65534, 3_000_000])


@st.composite
def packages(draw: st.DrawFn) -> tuple[Sequence[Item], Sequence[str]]:
    """Draw the entries of a package in an order that dpkg takes, and its configuration files."""
    items = [folder("./")]
    folders, files, taken = [""], list[str](), {""}
    for _ in range(draw(st.integers(0, 12))):
        path = draw(st.sampled_from(folders)) + draw(names)
        if path in taken or path.partition("/")[0] in ("DEBIAN",):
            continue
        taken.add(path)
        kinds = ["directory", "file", "symlink", "fifo"] + ["hard link"] * bool(files)
        kind = draw(st.sampled_from(kinds))
        item = Item(
            path=f"./{path}",
            mode=draw(modes),
            uid=draw(owners),
            gid=draw(owners),
            user="",
            group="",
            mtime=draw(st.integers(0, 2_000_000_000)),
        )
        match kind:
            case "directory":
                folders.append(f"{path}/")
                # Below a directory that gives its group away, dpkg-deb leaves that bit where dpkg
                # does not.
                mode = item.mode & ~0o2000
                item = dataclasses.replace(item, type=tarfile.DIRTYPE, path=f"./{path}/", mode=mode)
            case "file":
                files.append(path)
                item = dataclasses.replace(item, content=draw(st.binary(max_size=1200)))
            case "symlink":
                item = dataclasses.replace(item, type=tarfile.SYMTYPE, target=draw(names))
            case "fifo":
                item = dataclasses.replace(item, type=tarfile.FIFOTYPE)
            case _:
                item = hard_link(f"./{path}", f"./{draw(st.sampled_from(files))}")
        items.append(item)
    linked = {item.target.removeprefix("./") for item in items if item.type == tarfile.LNKTYPE}
    plain = [path for path in files if path not in linked and path == path.strip()]
    chosen = draw(st.lists(st.sampled_from(plain), unique=True)) if plain else []
    return items, [f"/{path}" for path in chosen]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(packages(), st.sampled_from([".xz", ".gz", ""]))
def test_any_package_becomes_the_unit_that_dpkg_would_unpack(
    package: tuple[Sequence[Item], Sequence[str]], compression: str
) -> None:
    items, conffiles = package
    place = Path(TemporaryDirectory().name)
    place.mkdir()
    try:
        control = control_tarball(conffiles=conffiles)
        data = tarball(items)
        path = write_package(place / "sample.deb", control, data, compression=compression)
        check_unit(path, conffiles, place)
    finally:
        shutil.rmtree(place)
