"""Tarballs that are damaged or mean harm: each is refused, named, and leaves nothing behind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.artifacts.refusals import ALL, OUTSIDE, refusal, untouched
from tests.artifacts.releases import PACKED, a_ref, line, packed, program, zipped
from tests.backends.packages import Item, file, folder, hard_link, link, tarball

from lamina.backends.artifact.unit import make_artifact
from lamina.engine.unit import TREE
from lamina.errors import BuildError

pytestmark = pytest.mark.real


def device(path: str, kind: bytes, number: tuple[int, int]) -> Item:
    return Item(path=path, type=kind, device=number, mode=0o666)


CHAIN = [link(f"l{n}", f"l{n + 1}") for n in range(50)]
MEMBERS: dict[str, tuple[Sequence[Item], str]] = {
    "a name that goes up": ([file("../evil")], "'../evil': a path leads out"),
    "a name that goes up behind a dot": ([file("./../evil")], "a path leads out"),
    "a name that goes up later": ([file("a/../../evil")], "a path leads out"),
    "a name that goes up and down": ([file("a/../evil")], "a path leads out"),
    "a folder that goes up": ([folder("../evil/")], "a path leads out"),
    "an absolute name": ([file(f"/{OUTSIDE}/evil")], "a path is absolute"),
    "an absolute folder": ([folder(f"/{OUTSIDE}/evil/")], "a path is absolute"),
    "a name with a line feed": ([file("evil\nname")], r"'evil\nname': its name has control"),
    "a name that clears the screen": ([file("\x1b[2J")], r"'\x1b[2J': its name has control"),
    "a name with a delete sign": ([file("a\x7f")], "control characters"),
    "a name with a sign of C1": ([file("a\x9b")], "control characters"),
    "a name that is not UTF-8": ([file("\udcff\udcfe")], "is not UTF-8"),
    "a link to a name that is not UTF-8": ([link("a", "\udcff")], "'a': its name is not UTF-8"),
    "a link to a name with a line feed": ([link("a", "b\nc")], "control characters"),
    "no name": ([file("")], "it is there twice"),
    "a file in place of the root": ([file("./.")], "it is there twice"),
    "a link in place of the root": ([link(".", f"/{OUTSIDE}")], "it is there twice"),
    "a file below a link": (
        [link("out", "in"), file("out/evil")],
        "'out': it is a file or link, and other members lie below it",
    ),
    "a file below a link that comes later": (
        [file("out/evil"), link("out", "in")],
        "'out': it is a file or link, and other members lie below it",
    ),
    "a folder below a link": ([link("out", "in"), folder("out/evil/")], "lie below it"),
    "a folder in place of a link": ([link("out", "in"), folder("out/")], "lie below it"),
    "a file through a link": ([link("out", "evil"), file("out")], "'out': it is there twice"),
    "a link far below a link": ([link("out", "in"), link("out/a/b", "x")], "lie below it"),
    "a file below a file": ([file("a"), file("a/b")], "'a': it is a file or link"),
    "a link to an absolute path": (
        [link("out", f"/{OUTSIDE}")],
        "'out': it is a link to an absolute path",
    ),
    "a link that goes up": ([link("out", "../evil")], "'out': it is a link that leads out"),
    "a link that goes up later": ([link("a/out", "b/../../../evil")], "leads out"),
    "a link that goes up through a link": (
        [link("a/here", "."), link("a/out", "here/../../evil")],
        "'a/out': it is a link that leads out",
    ),
    "a link that goes up through a link down": (
        [folder("a/b/c/"), link("down", "a/b/c"), link("out", "down/../../../../evil")],
        "'out': it is a link that leads out",
    ),
    "a link to itself": ([link("a", "a")], "leads to itself"),
    "links in a circle": ([link("a", "b"), link("b", "a")], "leads to itself"),
    "links without end": ([link("a", "a/a/a")], "leads to itself"),
    "too many links": ([*CHAIN, file("l50")], "'l0': it is a link that leads to itself"),
    "a link to nowhere": ([link("x", "")], "a link points nowhere"),
    "a giant link": ([link("x", "y" * 5000)], "too long"),
    "a hard link to the outside": ([hard_link("shadow", "../../etc/shadow")], "leads out"),
    "a hard link to an absolute name": ([hard_link("shadow", "/etc/shadow")], "is absolute"),
    "a hard link through a link": (
        [link("out", "in"), folder("in/"), file("in/x"), hard_link("shadow", "out/x")],
        "'shadow': it is a hard link to 'out/x', no file of it",
    ),
    "a hard link to nothing": ([hard_link("a", "b")], "no file of it"),
    "a hard link to a folder": ([folder("b/"), hard_link("a", "b")], "no file of it"),
    "a hard link to a link": ([link("b", "c"), hard_link("a", "b")], "no file of it"),
    "a hard link to itself": ([hard_link("a", "a")], "no file of it"),
    "hard links in a circle": ([hard_link("a", "b"), hard_link("b", "a")], "no file of it"),
    "a file twice": ([file("a"), file("a")], "'a': it is there twice"),
    "a file twice in other words": ([file("b/a"), file("./b//a")], "'b/a': it is there twice"),
    "a file and a link": ([file("a"), link("a", "b")], "'a': it is there twice"),
    "a folder and a file": ([folder("a/"), file("a")], "'a': it is a file or link"),
    "a disk": ([device("disk", tarfile.BLKTYPE, (254, 0))], "'disk': it is a block"),
    "the memory": ([device("memory", tarfile.CHRTYPE, (1, 1))], "'memory': it is a char"),
    "overlayfs's whiteout": ([device("passwd", tarfile.CHRTYPE, (0, 0))], "it is a char"),
    "a pipe": ([Item(path="pipe", type=tarfile.FIFOTYPE)], "'pipe': it is a fifo"),
    "a layer's whiteout": ([file("a/.wh.passwd")], "layers keep names"),
    "a layer's opaque mark": ([file("a/.wh..wh..opq")], "layers keep names"),
    "an unknown type": ([Item(path="x", type=b"S")], "are not known"),
    "a part of a name that is too long": ([file("x" * 256)], "too long"),
    "a name that is too long": ([file("/".join(["x" * 200] * 16))], "too long"),
    "a giant name": ([file("x" * (2 << 20))], "a header of"),
    "folders without end": ([file("a/" * 100 + "b")], "more than 64 folders deep"),
    "a time that cannot be": ([replace(file("x"), mtime=1 << 60)], "its time is"),
}


def aimed(item: Item, place: Path) -> Item:
    """Return the entry with a true path in place of the word for the outside."""
    true = str(place / OUTSIDE).lstrip("/")
    return replace(
        item, path=item.path.replace(OUTSIDE, true), target=item.target.replace(OUTSIDE, true)
    )


@pytest.mark.parametrize("case", MEMBERS)
def test_members_that_mean_harm_are_refused(case: str, tmp_path: Path) -> None:
    items, fault = MEMBERS[case]
    content = packed([file("good"), *(aimed(item, tmp_path) for item in items)], ".tar.gz")
    assert fault in refusal(content, "sample.tar.gz", tmp_path)


@pytest.mark.parametrize("case", MEMBERS)
def test_they_are_refused_even_where_they_stay_away(case: str, tmp_path: Path) -> None:
    items, fault = MEMBERS[case]
    content = packed([file("good"), *(aimed(item, tmp_path) for item in items)], ".tar")
    assert fault in refusal(content, "sample.tar", tmp_path, line("good", "/usr/bin/good"))


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777, 0o6711])
@pytest.mark.parametrize("install", [ALL, line("sudo", "/usr/bin/sudo"), line("s*", "/usr/bin/")])
def test_a_program_that_would_run_as_its_owner_is_refused_unless_its_mode_is_stated(
    mode: int, install: object, tmp_path: Path
) -> None:
    assert isinstance(install, type(ALL))
    own = [replace(program("sudo"), mode=mode)]
    # Under another name it is the same program.
    other = [replace(program("a/real"), mode=mode), hard_link("sudo", "a/real")]
    for number, items in enumerate((own, other)):
        place = tmp_path / str(number)
        place.mkdir()
        message = refusal(packed(items, ".tar.gz"), "sample.tgz", place, install)
        assert f"has the mode {mode:04o}" in message


def test_attributes_do_not_come_along(tmp_path: Path) -> None:
    capability = b"\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("ping")
        info.mode = 0o755
        info.pax_headers = {
            "SCHILY.xattr.security.capability": capability.decode("latin-1"),
            "SCHILY.xattr.trusted.overlay.opaque": "y",
        }
        tar.addfile(info)
    unit = tmp_path / "unit"
    unit.mkdir()
    (tmp_path / "download").write_bytes(buffer.getvalue())
    ref = a_ref(buffer.getvalue(), "x.tar", line("ping", "/usr/bin/ping"))
    make_artifact(tmp_path / "download", unit, ref)
    assert os.listxattr(unit / TREE / "usr/bin/ping") == []


GOOD = tarball([folder("a/"), file("a/big", os.urandom(100_000)), file("a/end")])
LZMA_BLOCK = 12  # where the header of the first block begins in a file of xz


def greedy() -> bytes:
    """Return xz whose header asks for a dictionary of four gigabytes."""
    content = bytearray(lzma.compress(GOOD))
    size = (content[LZMA_BLOCK] + 1) * 4
    header = content[LZMA_BLOCK : LZMA_BLOCK + size]
    assert header[2] == 0x21, "LZMA2"
    header[4] = 40
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    content[LZMA_BLOCK : LZMA_BLOCK + size] = header
    return bytes(content)


def flipped(content: bytes) -> bytes:
    return (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 0xFF])
        + (content[len(content) // 2 + 1 :])
    )


def with_name(name: bytes) -> bytes:
    return tarball([file("12345678")]).replace(b"12345678", name)


STREAMS: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("tar", b"", "ends too early"),
    "nothing compressed": ("tar.gz", gzip.compress(b""), "ends too early"),
    "an empty file as gzip": ("tar.gz", b"", "ends too early"),
    "an empty file as xz": ("tar.xz", b"", "ends too early"),
    "an empty file as bzip2": ("tar.bz2", b"", "ends too early"),
    "cut within a header": ("tar", GOOD[:700], "ends too early"),
    "cut within a file": ("tar", GOOD[:50_000], "ends too early"),
    "cut behind a file": ("tar", GOOD[: 1024 + 100_352], "ends too early"),
    "gzip cut off": ("tar.gz", gzip.compress(GOOD)[:50_000], "cannot be decompressed"),
    "gzip cut in its sum": ("tar.gz", gzip.compress(GOOD)[:-4], "cannot be decompressed"),
    "xz cut off": ("tar.xz", lzma.compress(GOOD)[:50_000], "ends too early"),
    "xz cut at its end": ("tar.xz", lzma.compress(GOOD)[:-4], "ends too early"),
    "bzip2 cut off": ("tar.bz2", bz2.compress(GOOD)[:50_000], "ends too early"),
    "gzip damaged": ("tar.gz", flipped(gzip.compress(GOOD)), ""),
    "xz damaged": ("tar.xz", flipped(lzma.compress(GOOD)), "cannot be decompressed"),
    "bzip2 damaged": ("tar.bz2", flipped(bz2.compress(GOOD)), "cannot be decompressed"),
    "a second tarball": ("tar", GOOD + GOOD, "something follows its end"),
    "garbage behind a tarball": ("tar.gz", gzip.compress(GOOD + b"x"), "follows its end"),
    "a second tarball in gzip": ("tar.gz", gzip.compress(GOOD) * 2, "follows its end"),
    "a second tarball in xz": ("tar.xz", lzma.compress(GOOD) * 2, "follows its end"),
    "a second tarball in bzip2": ("tar.bz2", bz2.compress(GOOD) * 2, "follows its end"),
    "garbage behind gzip": ("tar.gz", gzip.compress(GOOD) + b"x" * 99, "decompressed"),
    "garbage behind xz": ("tar.xz", lzma.compress(GOOD) + b"x" * 99, "decompressed"),
    "garbage behind bzip2": ("tar.bz2", bz2.compress(GOOD) + b"x" * 99, "decompressed"),
    "xz that wants all memory": ("tar.xz", greedy(), "Memory usage limit"),
    "xz named as gzip": ("tar.gz", lzma.compress(GOOD), "cannot be decompressed"),
    "a page in place of the file": ("tgz", b"<!DOCTYPE html><p>404", "cannot be decompressed"),
    "a damaged sum": ("tar", GOOD[:150] + b"777" + GOOD[153:], "checksum of a header"),
    "a damaged name": ("tar", with_name(b"evil1234"), "checksum of a header"),
    "an archive of another kind": ("tar", b"cpio" * 1000, "not a tar archive"),
    "a plain page": ("tool", b"\n  <!doctype HTML>\n<html>", "it is a web page"),
    "another plain page": ("tool", b"<html lang=en>", "it is a web page"),
}


@pytest.mark.parametrize("case", STREAMS)
def test_damaged_streams_are_refused(case: str, tmp_path: Path) -> None:
    ending, content, fault = STREAMS[case]
    plain = line("", "/usr/bin/sample", 0o755)
    install = plain if ending == "tool" else ALL
    assert fault in refusal(content, f"sample.{ending}", tmp_path, install)


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_a_tarball_that_ends_anywhere_is_refused(ending: str, tmp_path: Path) -> None:
    small = tarball([folder("a/"), file("a/b", b"x" * 2000), file("a/end")])
    # After its last block with content, a tarball is padded.
    content = PACKED[ending](small.rstrip(b"\0") + bytes(1100))
    for end in range(0, len(content) - 1, max(len(content) // 60, 1)):
        place = tmp_path / str(end)
        place.mkdir()
        if ending == ".tar" and end > len(small.rstrip(b"\0")) + 512:
            continue  # one block of zeros is the end for most programs
        refusal(content[:end], f"sample{ending}", place)


def zeros(size: int) -> Iterable[bytes]:
    chunk = bytes(1 << 20)
    return (chunk for _ in range(size >> 20))


def gzipped(pieces: Iterable[bytes]) -> bytes:
    """Return pieces as gzip, each compressed on its own: equal ones need it once."""
    compressed = lru_cache(lambda piece: gzip.compress(piece, 9, mtime=0))
    return b"".join(map(compressed, pieces))


def header(item: Item) -> bytes:
    return tarball([item])[:512]


def sized(path: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return the header of a member that has so many bytes."""
    info = tarfile.TarInfo(path)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "one giant file": (
        lambda: gzipped([sized("big", 300 << 20), *zeros(300 << 20), bytes(1024)]),
        "it is larger than 268435456 bytes",
    ),
    "a giant behind its end": (
        lambda: gzipped([header(file("a", b"")), bytes(1024), *zeros(300 << 20)]),
        "it is larger than 268435456 bytes",
    ),
    "a size that is only told": (
        lambda: gzipped([sized("big", 1 << 62), bytes(1024)]),
        "it ends too early",
    ),
    "members without end": (
        lambda: gzipped([header(folder("a/")) * 1000] * 101),
        "it has more than 100000 entries",
    ),
    "a name without end": (
        lambda: gzipped([sized("././@LongLink", 1 << 40, b"L")]),
        "it has a header of 1099511627776 bytes",
    ),
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_refused(case: str, tmp_path: Path) -> None:
    content, fault = BOMBS[case]
    assert fault in refusal(content(), "sample.tgz", tmp_path)


def test_many_names_of_one_large_file_are_a_bomb_too(tmp_path: Path) -> None:
    links = [hard_link(f"l{n}", "big") for n in range(10)]
    content = packed([file("big", bytes(30 << 20)), *links], ".tar.gz")
    message = refusal(content, "sample.tgz", tmp_path)
    assert "what is installed of it is larger than 268435456 bytes" in message


names = st.lists(
    st.sampled_from(["a", "b", "c", "..", ".", "", "a" * 99]), min_size=1, max_size=4
).map("/".join)
items = st.one_of(
    st.builds(file, names),
    st.builds(folder, names.map(lambda name: f"{name}/")),
    st.builds(link, names, names),
    st.builds(hard_link, names, names),
)


@given(st.lists(items, max_size=6), st.booleans())
@example([link("a", "b/c"), folder("b/c/"), file("b/c/x"), link("d", "a/..")], False)
@settings(deadline=None, max_examples=100)
def test_whatever_an_archive_says_nothing_leaves_its_tree(
    content: list[Item], as_zip: bool
) -> None:
    with TemporaryDirectory() as name:
        place = Path(name)
        unit = place / "units" / "folder"
        unit.mkdir(parents=True)
        plain = [item for item in content if item.type != tarfile.LNKTYPE]
        archive = zipped(plain) if as_zip else tarball(content)
        (place / "download").write_bytes(archive)
        ending = "zip" if as_zip else "tar"
        refused = False
        with untouched(place):
            try:
                make_artifact(place / "download", unit, a_ref(archive, f"x.{ending}", ALL))
            except BuildError:
                refused = True
        assert sorted(path.name for path in unit.iterdir()) == ([] if refused else [TREE])
        tree = (unit / TREE).resolve()
        for path in tree.rglob("*"):
            assert path.resolve().is_relative_to(tree / "opt/sample") or not path.is_symlink()
