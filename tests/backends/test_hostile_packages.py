"""Packages that are damaged or mean harm: each is refused, named, and leaves nothing outside."""

from __future__ import annotations

import dataclasses
import gzip
import lzma
import os
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backends.packages import (
    Item,
    archive,
    control_tarball,
    file,
    folder,
    hard_link,
    link,
    sample,
    tarball,
    write_package,
)

from lamina.backends.deb.database import INFO
from lamina.backends.deb.unit import make_unit
from lamina.errors import BuildError
from lamina.model.digest import Digest

DIGEST = Digest.of(b"sample")
pytestmark = pytest.mark.real

ROOT = folder("./")
ETC = folder("./etc/")
OUTSIDE = "OUTSIDE"  # stands for a folder beside the unit's

ENTRIES: dict[str, tuple[Sequence[Item], str]] = {
    "a name that goes up": ([ROOT, file("../evil")], "leaves the root"),
    "a name that goes up behind a dot": ([ROOT, file("./../evil")], "leaves the root"),
    "a name that goes up later": ([ROOT, file("./a/../../evil")], "leaves the root"),
    "a folder that goes up": ([ROOT, folder("./../evil/")], "leaves the root"),
    "the folder above": ([ROOT, folder("..")], "leaves the root"),
    "an absolute name": ([ROOT, file(f"/{OUTSIDE}/evil")], "not relative"),
    "an absolute folder": ([ROOT, folder(f"/{OUTSIDE}/evil/")], "not relative"),
    "a double slash": ([ROOT, file("./etc//evil")], "leaves the root"),
    "a name with a line feed": ([ROOT, file("./evil\nname")], "odd characters"),
    "no name": ([ROOT, file("")], "odd characters"),
    "a file in place of the root": ([file("./.")], "leaves the root"),
    "a link in place of the root": ([link(".", f"/{OUTSIDE}")], "the root is in it twice"),
    "a file below a link": (
        [ROOT, link("./out", f"/{OUTSIDE}"), file("./out/evil")],
        "something lies below it",
    ),
    "a folder below a link": (
        [ROOT, link("./out", f"/{OUTSIDE}"), folder("./out/evil/")],
        "something lies below it",
    ),
    "a folder in place of a link": (
        [ROOT, link("./out", f"/{OUTSIDE}"), folder("./out/", 0o777)],
        "something lies below it",
    ),
    "a file through a link": (
        [ROOT, link("./out", f"/{OUTSIDE}/evil"), file("./out")],
        "in it twice",
    ),
    "a link far below a link": (
        [ROOT, link("./out", f"/{OUTSIDE}"), link("./out/a/b", "x")],
        "something lies below it",
    ),
    "a device below a link": (
        [
            ROOT,
            link("./out", f"/{OUTSIDE}"),
            Item(path="./out/d", type=tarfile.BLKTYPE, device=(7, 0)),
        ],
        "something lies below it",
    ),
    "a file below a file": ([ROOT, file("./a"), file("./a/b")], "something lies below it"),
    "a hard link to the outside": (
        [ROOT, hard_link("./shadow", "../../etc/shadow")],
        "leaves the root",
    ),
    "a hard link to an absolute name": (
        [ROOT, hard_link("./shadow", "/etc/shadow")],
        "not relative",
    ),
    "a hard link through a link": (
        [ROOT, link("./out", "/etc"), hard_link("./shadow", "./out/shadow")],
        "which is not there",
    ),
    "a hard link to nothing": ([ROOT, hard_link("./a", "./b")], "which is not there"),
    "a hard link to what comes later": (
        [ROOT, hard_link("./a", "./b"), file("./b")],
        "which is not there",
    ),
    "a hard link to a folder": ([ROOT, ETC, hard_link("./a", "./etc")], "which is not there"),
    "a hard link to itself": ([ROOT, hard_link("./a", "./a")], "which is not there"),
    "a file twice": ([ROOT, file("./a"), file("./a")], "a is in it twice"),
    "a file and a link": ([ROOT, file("./a"), link("./a", "b")], "a is in it twice"),
    "a folder and a file": ([ROOT, ETC, file("./etc")], "etc is in it twice"),
    "a configuration file twice": (
        [ROOT, ETC, file("./etc/conf"), file("./etc/conf")],
        "etc/conf is in it twice",
    ),
    "a file below a configuration file": (
        [ROOT, ETC, file("./etc/conf"), file("./etc/conf/evil")],
        "something lies below it",
    ),
    "a configuration file below a link": (
        [ROOT, link("./etc", f"/{OUTSIDE}"), file("./etc/conf")],
        "something lies below it",
    ),
    "a link over the folder of a configuration file": (
        [ROOT, file("./etc/conf"), link("./etc", f"/{OUTSIDE}")],
        "etc is in it twice",
    ),
    "a file that is a whiteout": (
        [ROOT, Item(path="./passwd", type=tarfile.CHRTYPE, device=(0, 0))],
        "is a device",
    ),
    "a disk": (
        [ROOT, Item(path="./disk", type=tarfile.BLKTYPE, device=(254, 0), mode=0o666)],
        "is a device",
    ),
    "the memory": (
        [ROOT, Item(path="./memory", type=tarfile.CHRTYPE, device=(1, 1), mode=0o666)],
        "is a device",
    ),
    "a part of a name that is too long": ([ROOT, file("./" + "x" * 256)], "too long"),
    "a name that is too long": ([ROOT, file("./" + "/".join(["x" * 200] * 16))], "too long"),
    "a giant name": ([ROOT, file("./" + "x" * (1 << 20))], "longer than"),
    "a giant link": ([ROOT, link("./x", "y" * 5000)], "too far"),
    "a link to nowhere": ([ROOT, link("./x", "")], "nowhere"),
    "an unknown type": ([ROOT, Item(path="./x", type=b"S")], "which dpkg does not take"),
    "a contiguous file": ([ROOT, Item(path="./x", type=b"7")], "which dpkg does not take"),
    "an owner that cannot be": (
        [ROOT, dataclasses.replace(file("./x"), uid=(1 << 32) - 1)],
        "out of range",
    ),
    "a time that cannot be": (
        [ROOT, dataclasses.replace(file("./x"), mtime=1 << 60)],
        "out of range",
    ),
}


def outside(folder: Path) -> set[tuple[str, int, int]]:
    """Return all there is below a folder, with what would show that it was changed."""
    return {
        (str(path), path.lstat().st_mtime_ns, path.lstat().st_nlink)
        for path in (folder, *folder.rglob("*"))
    }


def refusal(package: Path, place: Path) -> str:
    """Make a unit, expect that it is refused and that nothing beside its folder was changed."""
    unit = place / "unit" / "folder"
    unit.mkdir(parents=True)
    neighbour = place / OUTSIDE
    neighbour.mkdir()
    (neighbour / "mine").write_text("mine")
    shadow = Path("/etc/shadow").stat().st_nlink
    before = outside(neighbour), set(place.iterdir()), set((place / "unit").iterdir())
    with pytest.raises(BuildError) as error:
        make_unit(package, unit, DIGEST)
    assert (outside(neighbour), set(place.iterdir()), set((place / "unit").iterdir())) == before
    assert Path("/etc/shadow").stat().st_nlink == shadow
    assert error.value.faults[0].remedy
    return str(error.value)


def aimed(item: Item, place: Path) -> Item:
    """Return the entry with a true path in place of the word for the outside."""
    true = str(place / OUTSIDE).lstrip("/")
    return dataclasses.replace(
        item, path=item.path.replace(OUTSIDE, true), target=item.target.replace(OUTSIDE, true)
    )


@pytest.mark.parametrize("case", ENTRIES)
def test_entries_that_mean_harm_are_refused(case: str, tmp_path: Path) -> None:
    items, fault = ENTRIES[case]
    package = sample(
        tmp_path / "sample.deb",
        [aimed(item, tmp_path) for item in items],
        conffiles=["/etc/conf"],
    )
    message = refusal(package, tmp_path)
    assert message.startswith("sample_1.0_all: ")
    assert fault in message


GOOD = tarball([ROOT, file("./big", os.urandom(100_000)), file("./end")])


def with_header(change: Callable[[bytearray], None], *, mended: bool = True) -> bytes:
    """Return a good tarball whose second header was changed, its sum made right again."""
    tar = bytearray(tarball([ROOT, file("./name", b"x" * 512), file("./end")]))
    header = tar[512:1024]
    change(header)
    if mended:
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
    tar[512:1024] = header
    return bytes(tar)


def setting(start: int, content: bytes, *, mended: bool = True) -> bytes:
    def change(header: bytearray) -> None:
        header[start : start + len(content)] = content

    return with_header(change, mended=mended)


DATA: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "ends too early"),
    "cut within a header": (GOOD[:700], "ends too early"),
    "cut within a file": (GOOD[:50_000], "ends too early"),
    "cut behind a file": (GOOD[: 1024 + 100_352], "ends too early"),
    "a damaged sum": (setting(150, b"777", mended=False), "a header of the tarball is damaged"),
    "a damaged name": (setting(0, b"evil", mended=False), "a header of the tarball is damaged"),
    "a pax header": (tarball([ROOT, file("./ü" * 60)], tarfile.PAX_FORMAT), "type b'x'"),
    "a global pax header": (setting(156, b"g"), "type b'g'"),
    "a size below zero": (setting(124, b"-0000000777\0"), "is no number"),
    "a size with signs": (setting(124, b"+0000000777\0"), "is no number"),
    "a size with underscores": (setting(124, b"0000_0777\0\0\0"), "is no number"),
    "a size that is no number": (setting(124, b"0000000008\0\0"), "is no number"),
    "a size in base 256 below zero": (setting(124, b"\xff" * 12), "is no number"),
    "a giant size": (setting(124, b"\x80" + b"\x7f" * 11), "out of range"),
    "a size beyond the end": (setting(124, b"77777777777\0"), "ends too early"),
    "an owner that is no number": (setting(108, b"rootroot"), "is no number"),
    "a giant long name": (
        setting(124, b"77777777777\0")[:512]
        + tarball([file("x" * 200)])[:512].replace(b"0000000311", b"7777777777"),
        "damaged",
    ),
    "only long names": (tarball([file("x" * 5000)])[:5632] * 9, "longer than"),
    "a tarball of another kind": (b"cpio" * 1000, "is no number"),
}


@pytest.mark.parametrize("compression", ["", ".xz", ".gz"])
@pytest.mark.parametrize("case", DATA)
def test_damaged_tarballs_are_refused(case: str, compression: str, tmp_path: Path) -> None:
    data, fault = DATA[case]
    package = write_package(
        tmp_path / "sample.deb", control_tarball(), data, compression=compression
    )
    message = refusal(package, tmp_path)
    assert message.startswith("sample_1.0_all: ")
    assert fault in message


def members(**changes: bytes | None) -> bytes:
    """Return a package of good members, some left out (None) or changed."""
    good: dict[str, bytes | None] = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": gzip.compress(control_tarball()),
        "data.tar.xz": lzma.compress(GOOD),
    }
    named = {name.replace("__", "-").replace("_", "."): value for name, value in changes.items()}
    return archive([(name, value) for name, value in (good | named).items() if value is not None])


def damaged(name: str) -> bytes:
    content = bytearray(lzma.compress(GOOD) if name == "xz" else gzip.compress(GOOD))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


WHOLE = members()
BOMB = gzip.compress(bytes(80 << 20), 1)
UNNAMED = tarball([file("./control", b"Version: 1\nArchitecture: all\n")])
TWICE = tarball([file("./control", b"Package: a\n"), file("./control", b"Package: b\n")])
PACKAGES: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "no ar archive"),
    "no ar archive": (b"PK\3\4" * 100, "no ar archive"),
    "only the start of an archive": (b"!<arch>\n", "no binary package"),
    "an archive of something else": (archive([("readme", b"2.0\n")]), "no binary package"),
    "another version": (members(debian__binary=b"3.0\n"), "no binary package"),
    "a member that ends too early": (WHOLE[:-100], "ends too early"),
    "a header that ends too early": (WHOLE + b"x" * 10, "header of the ar archive"),
    "a damaged header of a member": (WHOLE.replace(b"`\n", b"xx", 1), "header of the ar archive"),
    "a member that leads back": (
        archive([("debian-binary", b"2.0\n")]) + f"{'x':<48}{-60:<10}`\n".encode(),
        "header of the ar archive",
    ),
    "members without end": (archive([("debian-binary", b"2.0\n")] * 100), "more than"),
    "no control tarball": (members(control_tar_gz=None), "no control.tar"),
    "no data tarball": (members(data_tar_xz=None), "no data.tar"),
    "a compression that is not known": (
        members(data_tar_xz=None) + archive([("data.tar.zst", b"(\xb5/\xfd")])[8:],
        "data.tar.zst is compressed as zst",
    ),
    "a control tarball that is none": (members(control_tar_gz=b"x" * 100), "ot a gzipped file"),
    "a control tarball cut off": (
        members(control_tar_gz=gzip.compress(control_tarball()[:1500])),
        "ends too early",
    ),
    "a control tarball without end": (members(control_tar_gz=BOMB), "larger than"),
    "no control file": (members(control_tar_gz=gzip.compress(tarball([ROOT]))), "field Package"),
    "a control file without a name": (
        members(control_tar_gz=gzip.compress(UNNAMED)),
        "field Package",
    ),
    "two control files": (members(control_tar_gz=gzip.compress(TWICE)), "comes twice"),
    "a control file of bytes": (
        members(control_tar_gz=gzip.compress(tarball([file("./control", b"Package: \xff\n")]))),
        "decode",
    ),
    "damaged xz": (members(data_tar_xz=damaged("xz")), "sample_1.0_all"),
    "damaged gzip": (
        members(data_tar_xz=None) + archive([("data.tar.gz", damaged("gz"))])[8:],
        "sample_1.0_all",
    ),
    "xz cut off": (members(data_tar_xz=lzma.compress(GOOD)[:5000]), "sample_1.0_all"),
    "no xz at all": (members(data_tar_xz=b"plain" * 200), "sample_1.0_all"),
}


@pytest.mark.parametrize("case", PACKAGES)
def test_files_that_are_no_packages_are_refused(case: str, tmp_path: Path) -> None:
    content, fault = PACKAGES[case]
    package = tmp_path / "sample.deb"
    package.write_bytes(content)
    message = refusal(package, tmp_path)
    assert message.startswith(("sample.deb: ", "sample_1.0_all: "))
    assert fault in message


def test_what_follows_the_end_of_the_tarball_is_not_read(tmp_path: Path) -> None:
    data = tarball([ROOT, file("./good")]) + tarball([file("../evil")])
    package = write_package(tmp_path / "sample.deb", control_tarball(), data)
    (tmp_path / "unit").mkdir()
    files = make_unit(package, tmp_path / "unit", DIGEST).files
    assert files == ("good", f"{INFO}/sample.list")


HEADERS = tarball(
    [
        ROOT,
        ETC,
        file("./etc/conf"),
        file("./" + "long" * 40),
        link("./link", "y" * 120),
        hard_link("./again", "./etc/conf"),
        Item(path="./fifo", type=tarfile.FIFOTYPE),
        Item(path="./disk", type=tarfile.BLKTYPE, device=(7, 1)),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_of_a_tarball_leads_out_or_to_a_crash(data: st.DataObject) -> None:
    tar = bytearray(HEADERS)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(tar) // 512 - 1)) * 512
        header = tar[start : start + 512]
        field = data.draw(st.sampled_from([0, 2, 100, 108, 116, 124, 136, 156, 157, 257, 329, 345]))
        change = data.draw(st.binary(max_size=12) | st.sampled_from([b"../x", b"/", b"5", b"L"]))
        header[field : field + len(change)] = change
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        tar[start : start + 512] = header[:512]
    with TemporaryDirectory() as place:
        unit = Path(place, "above", "unit")
        unit.mkdir(parents=True)
        package = write_package(
            Path(place, "sample.deb"), control_tarball(), bytes(tar), compression=""
        )
        with suppress(BuildError):
            make_unit(package, unit, DIGEST)
        assert {path.name for path in Path(place).iterdir()} == {"above", "sample.deb"}
        assert {path.name for path in Path(place, "above").iterdir()} == {"unit"}
