"""Tar streams: what is written is read back the same, by us and by everybody else."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import StoreError
from lamina.oci.entry import Entry, EntryKind, layer_order, layer_path
from lamina.oci.tar import CHUNK, END, tar_chunks
from lamina.oci.untar import Limits, read_entries

NEVER = 0o77777777777
SPECIAL = {EntryKind.FIFO, EntryKind.CHAR, EntryKind.BLOCK}


def packed(entries: Iterable[Entry], mtime_limit: int = NEVER) -> bytes:
    chunks = tar_chunks(entries, mtime_limit=mtime_limit)
    return b"".join((*(bytes(chunk) for chunk in chunks), END))


def unpacked(tar: bytes) -> list[tuple[Entry, bytes]]:
    return [
        (entry, b"".join(content)) for entry, content in read_entries(io.BytesIO(tar), Limits())
    ]


names = (
    st.binary(min_size=1, max_size=130)
    .map(lambda raw: os.fsdecode(raw.replace(b"/", b"_").replace(b"\0", b"_")))
    .filter(lambda name: name not in (".", "..") and not name.startswith(".wh."))
)
ids = st.one_of(st.integers(0, 70_000), st.integers(0, 2**32 - 2))
attributes = st.dictionaries(
    st.sampled_from(["user.a", "security.capability", "user.ü"]), st.binary(max_size=40), max_size=2
).map(lambda found: tuple(sorted(found.items())))


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[Entry, bytes]]:
    """Entries with their contents; every directory that a path needs is there."""
    folders = [""]
    made: dict[str, tuple[Entry, bytes]] = {}
    for kind in draw(st.lists(st.sampled_from(list(EntryKind)), max_size=12)):
        parent = draw(st.sampled_from(folders))
        name = draw(names)
        path = f"{parent}/{name}" if parent else name
        if path in made:
            continue
        files = sorted(p for p, (e, _) in made.items() if e.kind is EntryKind.FILE and p < path)
        if kind is EntryKind.HARDLINK and not files:
            kind = EntryKind.FILE
        content = draw(st.binary(max_size=1500)) if kind is EntryKind.FILE else b""
        mark = kind in (EntryKind.WHITEOUT, EntryKind.OPAQUE)
        target = ""
        if kind is EntryKind.SYMLINK:
            target = draw(names)
        elif kind is EntryKind.HARDLINK:
            target = draw(st.sampled_from(files))
        made[path] = (
            Entry(
                path=path,
                kind=kind,
                mode=draw(st.integers(0, 0o7777)),
                uid=draw(ids),
                gid=draw(ids),
                mtime=draw(st.integers(0, 2**33 - 1)),
                size=len(content),
                target=target,
                rdev=os.makedev(draw(st.integers(0, 4000)), draw(st.integers(1, 200_000)))
                if kind in (EntryKind.CHAR, EntryKind.BLOCK)
                else 0,
                xattrs=() if mark or kind is EntryKind.HARDLINK else draw(attributes),
            ),
            content,
        )
        if kind is EntryKind.DIRECTORY:
            folders.append(path)
    return list(made.values())


def on_disk(tree: Sequence[tuple[Entry, bytes]], folder: str) -> list[Entry]:
    """The entries, with their contents in files of `folder`."""
    entries = []
    for number, (entry, content) in enumerate(tree):
        if entry.kind is EntryKind.FILE:
            source = Path(folder) / str(number)
            source.write_bytes(content)
            entries.append(replace(entry, source=str(source)))
        else:
            entries.append(entry)
    return entries


@given(trees())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_back(tree: list[tuple[Entry, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tar = packed(on_disk(tree, folder))
    assert unpacked(tar) == sorted(tree, key=lambda item: layer_order(item[0]))


@given(trees())
@settings(max_examples=150, deadline=None)
def test_the_standard_library_reads_the_same(tree: list[tuple[Entry, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tar = packed(on_disk(tree, folder))
    expected = {layer_path(entry): (entry, content) for entry, content in tree}
    with tarfile.open(
        fileobj=io.BytesIO(tar), encoding="utf-8", errors="surrogateescape"
    ) as archive:
        members = archive.getmembers()
        assert {member.name for member in members} == expected.keys()
        for member in members:
            entry, content = expected[member.name]
            assert (member.mode, member.uid, member.gid) == (entry.mode, entry.uid, entry.gid)
            assert (member.mtime, member.size) == (entry.mtime, entry.size)
            assert member.linkname == entry.target
            assert (member.uname, member.gname) == ("", "")
            if entry.kind is EntryKind.FILE:
                file = archive.extractfile(member)
                assert file is not None
                assert file.read() == content
            attributes = tuple(
                sorted(
                    (key.removeprefix("SCHILY.xattr."), value.encode("utf-8", "surrogateescape"))
                    for key, value in member.pax_headers.items()
                    if key.startswith("SCHILY.xattr.")
                )
            )
            assert attributes == entry.xattrs


@given(trees(), st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_entries_does_not_count(
    tree: list[tuple[Entry, bytes]], random: object
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        entries = on_disk(tree, folder)
        assert packed(entries) == packed(reversed(entries))


def test_plain_names_need_no_extended_headers() -> None:
    deep = "usr/share/" + "d" * 90 + "/" + "f" * 60
    entries = [
        Entry(path="usr", kind=EntryKind.DIRECTORY, mode=0o755),
        Entry(path="usr/bin", kind=EntryKind.SYMLINK, mode=0o777, target="sbin"),
        Entry(path=deep, kind=EntryKind.FIFO, mode=0o600),
    ]
    tar = packed(entries)
    assert len(tar) == (3 + 2) * 512  # a block for each entry, two at the end
    assert [entry.path for entry, _ in unpacked(tar)] == ["usr", "usr/bin", deep]


def test_times_are_clamped_both_ways() -> None:
    entries = [
        Entry(path="late", kind=EntryKind.FIFO, mtime=2_000),
        Entry(path="old", kind=EntryKind.FIFO, mtime=500),
        Entry(path="prehistoric", kind=EntryKind.FIFO, mtime=-5),
    ]
    read = unpacked(packed(entries, mtime_limit=1_000))
    assert [entry.mtime for entry, _ in read] == [1_000, 500, 0]


def test_whiteouts_come_before_their_siblings() -> None:
    entries = [
        Entry(path="a", kind=EntryKind.DIRECTORY),
        Entry(path="a", kind=EntryKind.OPAQUE),
        Entry(path="a/!first", kind=EntryKind.FIFO),
        Entry(path="a/gone", kind=EntryKind.WHITEOUT),
        Entry(path="gone", kind=EntryKind.WHITEOUT),
    ]
    with tarfile.open(fileobj=io.BytesIO(packed(entries))) as archive:
        assert archive.getnames() == [".wh.gone", "a", "a/.wh..wh..opq", "a/.wh.gone", "a/!first"]


def test_a_stream_is_cut_into_pieces_of_one_size(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 * CHUNK + 17))
    entry = Entry(path="big", kind=EntryKind.FILE, size=3 * CHUNK + 17, source=str(big))
    sizes = [len(chunk) for chunk in tar_chunks([entry], mtime_limit=NEVER)]
    assert sizes[:-1] == [CHUNK] * (len(sizes) - 1)
    assert unpacked(packed([entry]))[0][1] == big.read_bytes()


@pytest.mark.parametrize("change", [-1, 1, 5000])
def test_a_file_that_is_not_as_long_as_scanned_is_told(tmp_path: Path, change: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (6000 + change))
    entry = Entry(path="etc/file", kind=EntryKind.FILE, size=6000, source=str(file))
    with pytest.raises(StoreError, match="etc/file: the file changed while it was read"):
        packed([entry])


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    entry = Entry(path="f", kind=EntryKind.FILE, size=1, source=str(tmp_path / "f"))
    with pytest.raises(StoreError, match="f: cannot be read: No such file"):
        packed([entry])


def test_a_source_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "f").symlink_to("secret")
    with pytest.raises(StoreError, match="f: cannot be read"):
        packed([Entry(path="f", kind=EntryKind.FILE, size=1, source=str(tmp_path / "f"))])


@pytest.mark.parametrize("path", [".wh.x", "a/.wh.x", ".wh.a/x"])
def test_a_file_named_like_a_whiteout_is_told(path: str) -> None:
    with pytest.raises(StoreError, match="cannot hold a file of this name"):
        packed([Entry(path=path, kind=EntryKind.FIFO)])


def test_two_entries_at_one_path_are_told() -> None:
    twice = [Entry(path="a", kind=EntryKind.FIFO), Entry(path="a", kind=EntryKind.DIRECTORY)]
    with pytest.raises(StoreError, match="a: two entries have this path"):
        packed(twice)


def test_files_beyond_8_gib_have_their_size_in_an_extended_header(tmp_path: Path) -> None:
    size = 9 << 30
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(size)
    entry = Entry(path="sparse", kind=EntryKind.FILE, size=size, source=str(sparse))
    head = next(tar_chunks([entry], mtime_limit=NEVER))
    found, _content = next(read_entries(io.BytesIO(head), Limits()))
    assert found.size == size
