"""Layers: the same tree gives the same bytes, whatever the day and the order."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lamina.errors import StoreError
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.layer import CODEC, write_layer
from lamina.oci.layout import Layout
from lamina.oci.tree import scan_tree


def tree_of(root: Path) -> tuple[Entry, ...]:
    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/text").write_bytes(b"words " * 100_000)
    (root / "usr/share/noise").write_bytes(hashlib.shake_256(b"noise").digest(700_000))
    (root / "usr/link").symlink_to("share/text")
    for path in (root / "usr", *(root / "usr").rglob("*")):
        os.utime(path, (1_000, 1_000), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    return scan_tree(root)


def test_a_layer_says_what_it_is(tmp_path: Path, layout: Layout) -> None:
    layer = write_layer(tree_of(tmp_path / "t"), layout, mtime_limit=5_000)
    blob = layout.read_blob(layer.digest)
    tar = gzip.decompress(blob)
    assert layer.diff_id.hex == hashlib.sha256(tar).hexdigest()
    assert (layer.size, layer.apparent) == (len(blob), len(tar))
    assert layer.parts == ()
    assert layer.media_type == "application/vnd.oci.image.layer.v1.tar+gzip"


def test_a_layer_is_the_same_from_a_copy_on_another_day(tmp_path: Path, layout: Layout) -> None:
    entries = tree_of(tmp_path / "t")
    first = write_layer(entries, layout, mtime_limit=5_000)
    shutil.copytree(tmp_path / "t", tmp_path / "copy", symlinks=True)
    for path in (tmp_path / "copy").rglob("*"):
        os.utime(path, (9_000, 9_000), follow_symlinks=False)
    second = write_layer(reversed(scan_tree(tmp_path / "copy")), layout, mtime_limit=1_000)
    assert second == first


def test_the_gzip_header_holds_no_time_and_no_name(tmp_path: Path, layout: Layout) -> None:
    layer = write_layer(tree_of(tmp_path / "t"), layout, mtime_limit=5_000)
    header = layout.read_blob(layer.digest)[:10]
    assert header == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def test_the_spelling_of_layers_has_not_changed(tmp_path: Path, layout: Layout) -> None:
    """When this fails, every layer of every fleet changes: raise the engine's version."""
    entries = tuple(
        Entry(path=path, kind=kind, mode=0o644, uid=42, gid=70_000, mtime=1_000, target=target)
        for path, kind, target in (
            ("etc", EntryKind.DIRECTORY, ""),
            ("etc/gone", EntryKind.WHITEOUT, ""),
            ("etc/l", EntryKind.SYMLINK, "x" * 120),
            ("etc/" + "n" * 110, EntryKind.FIFO, ""),
        )
    )
    layer = write_layer(entries, layout, mtime_limit=5_000)
    assert layer.diff_id.short == "c3a36268df13"


def test_a_failed_layer_leaves_nothing_in_the_layout(tmp_path: Path, layout: Layout) -> None:
    entries = tree_of(tmp_path / "t")
    with (tmp_path / "t/usr/share/text").open("ab") as file:
        file.write(b"more")
    with pytest.raises(StoreError, match="changed while it was read"):
        write_layer(entries, layout, mtime_limit=5_000)
    assert layout.blobs() == {}
    assert list((layout.root / "unfinished").iterdir()) == []


def test_the_codec_names_its_version() -> None:
    assert CODEC.startswith("gzip 2 isal ")
    assert CODEC.count(".") >= 3


@pytest.mark.real
def test_gnu_tar_unpacks_a_layer_as_it_was(tmp_path: Path, layout: Layout) -> None:
    tree = tmp_path / "t"
    tree_of(tree)
    (tree / os.fsdecode(b"caf\xe9")).write_bytes(b"latin-1")
    deep = tree / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    (deep / ("f" * 200)).symlink_to("g" * 300)
    (tree / "hard").hardlink_to(tree / "usr/share/text")
    os.chown(tree / "usr/share/noise", 3_000_000, 42)
    (tree / "usr/share/noise").chmod(0o4755)
    os.setxattr(tree / "usr/share/noise", "user.x", b"\0\xff=\n")
    os.mknod(tree / "null", 0o20666, os.makedev(1, 3))
    os.mkfifo(tree / "fifo")
    layer = write_layer(scan_tree(tree), layout, mtime_limit=2**33)
    out = tmp_path / "out"
    out.mkdir()
    blob = layout.blob_path(layer.digest)
    told = subprocess.run(
        ["tar", "--xattrs", "--xattrs-include=*", "-C", out, "-xpzf", blob],
        check=True,
        capture_output=True,
    )
    assert told.stderr == b""
    again = write_layer(scan_tree(out), layout, mtime_limit=2**33)
    assert again == layer
