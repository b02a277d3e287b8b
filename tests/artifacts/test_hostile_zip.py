"""Zip archives that are damaged or mean harm, above all those that tell two things at once."""

from __future__ import annotations

import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from tests.artifacts.refusals import refusal
from tests.artifacts.releases import line, made, program, streamed, zipped
from tests.backends.packages import Item, file, folder, link

pytestmark = pytest.mark.real

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Let Python not warn of what is done on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def typed(path: str, mode: int, content: bytes = b"x") -> bytes:
    """Return an archive with one member of this mode."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(path)
        info.create_system = 3
        info.external_attr = mode << 16
        archive.writestr(info, content)
    return buffer.getvalue()


MEMBERS: dict[str, tuple[Sequence[Item], str]] = {
    "a name that goes up": ([file("../evil")], "'../evil': a path leads out"),
    "an absolute name": ([file("/etc/evil")], "a path is absolute"),
    "a name with a backslash": ([file("..\\evil")], "can be read in several ways"),
    "a name with a line feed": ([file("evil\nname")], r"'evil\nname': its name has control"),
    "a file twice": ([file("a"), file("a")], "'a': it is there twice"),
    "a file below a link": ([link("out", "in"), file("out/evil")], "other members lie below it"),
    "a link that goes up": ([link("out", "../evil")], "'out': it is a link that leads out"),
    "a link to an absolute path": ([link("out", "/etc")], "to an absolute path"),
    "a link to nowhere": ([link("out", "")], "a link points nowhere"),
    "a giant link": ([link("out", "x/" * 5000)], "points too far"),
    "a layer's whiteout": ([file(".wh.passwd")], "layers keep names"),
    "folders without end": ([file("a/" * 100 + "b")], "more than 64 folders deep"),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_members_that_mean_harm_are_refused(case: str, tmp_path: Path) -> None:
    items, fault = MEMBERS[case]
    assert fault in refusal(zipped([file("good"), *items]), "sample.zip", tmp_path)


GOOD = zipped([program("bin/tool"), file("README", b"read me " * 500)])
STREAMED = streamed([program("tool"), file("README", b"read me " * 500)])


def place_of(magic: bytes, content: bytes, number: int = 0) -> int:
    """Return where a record begins."""
    here = -1
    for _ in range(number + 1):
        here = content.index(magic, here + 1)
    return here


def changed(
    magic: bytes, offset: int, value: bytes, *, number: int = 0, content: bytes = GOOD
) -> bytes:
    """Return an archive in which a field of a record has another value."""
    here = place_of(magic, content, number) + offset
    assert content[here : here + len(value)] != value
    return content[:here] + value + content[here + len(value) :]


def everywhere(local: int, central: int, value: bytes, *, content: bytes = GOOD) -> bytes:
    """Return an archive in which a field has another value in both places of the first member."""
    return changed(CENTRAL, central, value, content=changed(LOCAL, local, value, content=content))


def moved(content: bytes, by: int) -> bytes:
    """Return an archive's directory and end, for members that lie so many bytes further on."""
    start = place_of(CENTRAL, content)
    end = place_of(END, content)
    tail = bytearray(content[start:])
    here = 0
    while tail[here : here + 4] == CENTRAL:
        (offset,) = struct.unpack_from("<L", tail, here + 42)
        struct.pack_into("<L", tail, here + 42, offset + by)
        here += 46 + sum(struct.unpack_from("<3H", tail, here + 28))
    struct.pack_into("<L", tail, end - start + 16, start + by)
    return bytes(tail)


def with_gap(before: bytes) -> bytes:
    """Return an archive with something before its first member that the directory passes over."""
    start = place_of(CENTRAL, GOOD)
    return before + GOOD[:start] + moved(GOOD, len(before))


def hiding_between() -> bytes:
    """Return an archive with bytes between its last member and its directory."""
    start, end = place_of(CENTRAL, GOOD), place_of(END, GOOD)
    tail = bytearray(GOOD[start:])
    struct.pack_into("<L", tail, end - start + 16, start + 4)
    return GOOD[:start] + b"hide" + bytes(tail)


def overlapping() -> bytes:
    """Return an archive whose second member is the first one under another name."""
    content = bytearray(zipped([file("a", b"x" * 50), file("b", b"x" * 50)]))
    second = place_of(CENTRAL, bytes(content), 1)
    struct.pack_into("<L", content, second + 42, 0)
    return bytes(content)


def lying(size: int, content: bytes) -> bytes:
    """Return an archive that tells of a compressed member another size, in both places."""
    return everywhere(22, 24, struct.pack("<L", size), content=zipped([file("a", content)]))


def encrypted() -> bytes:
    return everywhere(6, 8, b"\1")


def bomb() -> bytes:
    return zipped([file("big", bytes(300 << 20))])


def told_only() -> bytes:
    """Return a small archive that tells of giant members."""
    return everywhere(22, 24, struct.pack("<L", 0xFFFF_FFFE))


TWO_WORDS = "the directory and the member itself tell different things"
ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "an empty file": (lambda: b"", "not a zip archive"),
    "a page in place of the file": (lambda: b"<!DOCTYPE html>" * 9, "not a zip archive"),
    "another name in the member": (lambda: changed(LOCAL, 30, b"sbin"), TWO_WORDS),
    "another name in the directory": (lambda: changed(CENTRAL, 46, b"sbin"), TWO_WORDS),
    "other flags in the member": (lambda: changed(LOCAL, 6, b"\1"), TWO_WORDS),
    "another compression in the member": (lambda: changed(LOCAL, 8, b"\0"), TWO_WORDS),
    "another sum in the member": (lambda: changed(LOCAL, 14, b"evil"), TWO_WORDS),
    "another size in the member": (lambda: changed(LOCAL, 22, b"\1\0\0\0"), TWO_WORDS),
    "another packed size in the member": (lambda: changed(LOCAL, 18, b"\1\0\0\0"), TWO_WORDS),
    "a size of nothing in the member": (lambda: changed(LOCAL, 22, bytes(4)), TWO_WORDS),
    "another name of equal length of zip64": (
        lambda: changed(LOCAL, 30, b"x", content=zipped([file("a")])),
        TWO_WORDS,
    ),
    "no member where one should begin": (
        lambda: changed(LOCAL, 0, b"PK\3\5"),
        "nothing says where it begins",
    ),
    "a program before the archive": (lambda: b"#!/bin/sh\nexit\n" + GOOD, "behind the member"),
    "a gap before the first member": (lambda: with_gap(b"hide"), "behind the member"),
    "bytes before the directory": (hiding_between, "4 bytes lie between"),
    "garbage behind its end": (lambda: GOOD + b"x", "something follows its end"),
    "an archive behind an archive": (lambda: GOOD + GOOD, "behind the member"),
    "members that overlap": (overlapping, "behind the member"),
    "an encrypted member": (encrypted, "it is encrypted"),
    "a name that can be read in several ways": (
        lambda: everywhere(30, 46, b"\x81", content=zipped([file("a")])),
        "can be read in several ways",
    ),
    "a name that is not UTF-8": (
        lambda: everywhere(30, 46, b"\xff\xff", content=zipped([file("é")])),
        "not a zip archive",
    ),
    "a name with a NUL": (lambda: everywhere(30, 46, b"\0", content=zipped([file("ab")])), "NUL"),
    "compression of bzip2": (
        lambda: zipped([file("a", b"x" * 99)], compression=zipfile.ZIP_BZIP2),
        "compression 12 is not known",
    ),
    "an unknown compression": (lambda: everywhere(8, 10, b"\x63\0"), "compression 99"),
    "a member larger than is told": (lambda: lying(10, b"x" * 5000), "larger than is told"),
    "a member smaller than is told": (lambda: lying(9000, b"x" * 50), "not what is told of it"),
    "another sum in both places": (lambda: everywhere(14, 16, b"evil"), "not what is told of it"),
    "a stored member of another sum": (
        lambda: everywhere(
            14, 16, b"evil", content=zipped([file("a")], compression=zipfile.ZIP_STORED)
        ),
        "not what is told of it",
    ),
    "damaged content": (lambda: changed(LOCAL, 40, b"\xff\xff\xff"), ""),
    "another sum behind a streamed member": (
        lambda: changed(b"PK\7\b", 4, b"evil", content=STREAMED),
        "what follows the member differ",
    ),
    "another size behind a streamed member": (
        lambda: changed(b"PK\7\b", 12, b"\1\0\0\0", content=STREAMED),
        "what follows the member differ",
    ),
    "a device": (lambda: typed("disk", stat.S_IFBLK | 0o666), "neither file, link nor directory"),
    "a pipe": (lambda: typed("pipe", stat.S_IFIFO | 0o666), "neither file, link nor directory"),
    "a directory by its mode alone": (lambda: typed("a", stat.S_IFDIR | 0o755), "not by both"),
    "a directory by its name alone": (lambda: typed("a/", stat.S_IFREG | 0o755), "not by both"),
    "a directory with content": (lambda: typed("a/", stat.S_IFDIR | 0o755), "has content"),
    "one giant file": (bomb, "it is larger than 268435456 bytes"),
    "a giant size that is only told": (told_only, "it is larger than 268435456 bytes"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_archives_that_mean_harm_are_refused(case: str, tmp_path: Path) -> None:
    content, fault = ARCHIVES[case]
    assert fault in refusal(content(), "sample.zip", tmp_path)


def test_members_without_end_are_refused(tmp_path: Path) -> None:
    name, count = b"a/", 100_001
    member = struct.pack("<4s5H3L2H", LOCAL, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
    record = (CENTRAL, 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0)
    central = struct.pack("<4s6H3L5H2L", *record, 0) + name
    size, start = len(central) * count, len(member) * count
    # More than 65,535 members need the end of zip64, with a locator and the plain end behind.
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    end = struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, size, 0xFFFFFFFF, 0)
    content = member * count + central * count + wide + locator + end
    assert "more than 100000 entries" in refusal(content, "sample.zip", tmp_path)


@pytest.mark.parametrize("content", [GOOD, STREAMED], ids=["plain", "streamed"])
def test_an_archive_that_ends_anywhere_is_refused(content: bytes, tmp_path: Path) -> None:
    for end in range(len(content)):
        place = tmp_path / str(end)
        place.mkdir()
        refusal(content[:end], "sample.zip", place)


def test_a_comment_that_looks_like_an_end_hides_nothing(tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evil", b"evil")
        archive.comment = END + bytes(18)
    # Python takes the comment for the end: an archive without members that fills not its file.
    refusal(buffer.getvalue(), "sample.zip", tmp_path)


def test_a_good_archive_is_taken(tmp_path: Path) -> None:
    tree, _ = made(GOOD, "x.zip", tmp_path / "1", line("./", "/opt/"))
    assert zlib.crc32((tree / "opt/README").read_bytes()) == zlib.crc32(b"read me " * 500)
    tree, _ = made(STREAMED, "x.zip", tmp_path / "2", line("./", "/opt/"))
    assert (tree / "opt/README").read_bytes() == b"read me " * 500


def test_an_empty_folder_is_a_folder(tmp_path: Path) -> None:
    content = zipped([folder("a/b/"), file("a/c")])
    tree, _ = made(content, "x.zip", tmp_path, line("a/", "/opt/"))
    assert (tree / "opt/b").is_dir()
