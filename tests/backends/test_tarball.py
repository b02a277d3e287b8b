from __future__ import annotations

import dataclasses
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.backends.packages import Item, file, folder, link, tarball

from lamina.backends.deb.tarball import TarEntry, padded, read_entries


def entries(tar: bytes) -> list[TarEntry]:
    source = io.BytesIO(tar)
    found = []
    for entry in read_entries(source):
        source.read(padded(entry.size))
        found.append(entry)
    return found


def changed(item: Item, start: int, content: bytes) -> bytes:
    """Return a tarball of one entry whose header was changed, its sum made right again."""
    tar = bytearray(tarball([item]))
    tar[start : start + len(content)] = content
    tar[148:156] = b" " * 8
    tar[148:156] = b"%06o\0 " % sum(tar[:512])
    return bytes(tar)


def test_an_entry_has_all_that_its_header_says() -> None:
    item = Item(
        path="./x", content=b"abc", mode=0o4750, uid=7, gid=9, user="lp", group="news", mtime=12345
    )
    (entry,) = entries(tarball([item]))
    assert (entry.name, entry.type, entry.mode, entry.size) == ("./x", b"0", 0o4750, 3)
    assert (entry.uid, entry.gid, entry.user, entry.group) == (7, 9, "lp", "news")
    assert entry.mtime == 12345


NUMBERS = {
    b"0000644\0": 0o644,
    b"0000644 ": 0o644,
    b"   644 \0": 0o644,
    b"   644\0\0": 0o644,
    b"00000644": 0o644,
    b"\0" * 8: 0,
    b" " * 8: 0,
    b"\x80\0\0\0\0\0\x01\xff": 0o777,
}


@pytest.mark.parametrize("field", NUMBERS)
def test_numbers_are_read_as_dpkg_does(field: bytes) -> None:
    (entry,) = entries(changed(file("./x"), 108, field))
    assert entry.uid == NUMBERS[field]


@pytest.mark.parametrize(
    "field", [b"0x000644", b"-0000644", b"64 4\0\0\0\0", b"\xff" * 8, b"9" * 8]
)
def test_what_is_no_number_is_refused(field: bytes) -> None:
    with pytest.raises(ValueError, match="no number"):
        entries(changed(file("./x"), 108, field))


def test_large_ids_are_read_from_base_256() -> None:
    (entry,) = entries(tarball([dataclasses.replace(file("./x"), uid=3_000_000, gid=4_000_000)]))
    assert (entry.uid, entry.gid) == (3_000_000, 4_000_000)


def test_long_names_and_targets_come_before_their_header() -> None:
    long, far = "./" + "n" * 300, "t" * 200
    found = entries(tarball([link(long, far), file("./short")]))
    assert [(entry.name, entry.target) for entry in found] == [(long, far), ("./short", "")]
    assert len(found[0].prelude) == 4 * 512
    assert found[1].prelude == b""


def test_the_prefix_of_a_ustar_header_is_part_of_the_name() -> None:
    name = "./" + "a" * 90 + "/" + "b" * 80
    assert entries(tarball([file(name)], tarfile.USTAR_FORMAT))[0].name == name


def test_an_old_file_with_a_slash_at_its_end_is_a_directory() -> None:
    (entry,) = entries(changed(folder("./old/"), 156, b"\0"))
    assert entry.type == b"5"


def test_an_old_tarball_has_no_names_of_owners() -> None:
    (entry,) = entries(changed(file("./x"), 257, bytes(8) + b"garbage"))
    assert (entry.user, entry.group) == ("", "")


def test_names_keep_every_byte() -> None:
    assert entries(tarball([file("./\udcff\udc80")]))[0].name == "./\udcff\udc80"


@given(
    st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=300).filter(
        lambda name: not name.endswith("/")
    ),
    st.binary(min_size=1, max_size=2000),
    st.integers(0, 8**11 - 1),
)
def test_a_header_with_another_size_differs_in_nothing_else(
    name: str, content: bytes, size: int
) -> None:
    item = Item(path=name.encode(errors="ignore").decode() or "x", content=content, mode=0o4711)
    (entry,) = entries(tarball([item]))
    block = entry.header_with_size(size)
    info = tarfile.TarInfo.frombuf(block[-512:], "utf-8", "surrogateescape")
    assert info.size == size
    assert (info.mode, info.mtime, info.uname) == (item.mode, item.mtime, item.user)
    assert block[: -512 + 124] == (entry.prelude + entry.header)[: -512 + 124]
    assert block[-512 + 156 :] == entry.header[156:]
