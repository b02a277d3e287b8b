"""Upper directories made of layers are those that the layers were made of."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from lamina.errors import StoreError
from lamina.model.built import Layer
from lamina.model.digest import Digest
from lamina.oci.entry import EntryKind
from lamina.oci.layer import write_layer
from lamina.oci.layout import Layout
from lamina.oci.tree import scan_upper
from lamina.oci.upper import restore_upper

EPOCH = 1_700_000_000


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    """An upper directory with everything that one can hold."""
    upper = tmp_path / "upper"
    (upper / "etc/new").mkdir(parents=True)
    (upper / "etc/new").chmod(0o1770)
    (upper / "etc/file").write_text("text")
    os.link(upper / "etc/file", upper / "etc/link")
    (upper / "etc/symlink").symlink_to("../nowhere")
    os.mkfifo(upper / "fifo", 0o640)
    os.chown(upper / "etc/file", 42400, 42401)
    os.setxattr(upper / "etc/file", "user.mine", b"\0x")
    os.mknod(upper / "etc/gone", stat.S_IFCHR, 0)
    os.setxattr(upper / "etc/new", "trusted.overlay.opaque", b"y")
    (upper / "etc/new/inside").write_text("")
    return upper


def restored(layer: Layer, layout: Layout, into: Path) -> Path:
    into.mkdir()
    with layout.open_blob(layer.digest) as blob:
        restore_upper(blob, into, diff_id=layer.diff_id, mtime_limit=EPOCH)
    return into


def test_the_directory_comes_back_with_overlayfs_own_marks(
    upper: Path, layout: Layout, tmp_path: Path
) -> None:
    layer = write_layer(scan_upper(upper), layout, mtime_limit=EPOCH)

    again = restored(layer, layout, tmp_path / "again")

    assert os.getxattr(again / "etc/new", "trusted.overlay.opaque") == b"y"
    gone = (again / "etc/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert [replace(entry, source=None) for entry in scan_upper(again)] == [
        replace(entry, source=None, mtime=EPOCH) for entry in scan_upper(upper)
    ]
    assert {entry.kind for entry in scan_upper(again)} == set(EntryKind) - {
        EntryKind.CHAR,
        EntryKind.BLOCK,
    }


def test_a_layer_that_would_become_another_one_is_refused(
    upper: Path, layout: Layout, tmp_path: Path
) -> None:
    layer = write_layer(scan_upper(upper), layout, mtime_limit=EPOCH)

    with pytest.raises(StoreError, match="not that of the layer"):
        restored(replace(layer, diff_id=Digest.of(b"another")), layout, tmp_path / "again")


def test_a_layer_that_names_a_folder_by_what_is_below_it_alone_is_refused(
    upper: Path, layout: Layout, tmp_path: Path
) -> None:
    entries = [entry for entry in scan_upper(upper) if entry.path != "etc"]
    layer = write_layer(entries, layout, mtime_limit=EPOCH)

    with pytest.raises(StoreError, match="not that of the layer"):
        restored(layer, layout, tmp_path / "again")
