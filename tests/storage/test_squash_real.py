"""Squashed deltas, compared with what the kernel shows of the same deltas mounted over another."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engine.overlays import overlay, shown

from lamina.oci.entry import EntryKind
from lamina.oci.tree import scan_upper
from lamina.storage import squash_deltas

pytestmark = pytest.mark.real


def _lowest(folder: Path) -> None:
    (folder / "etc/old").mkdir(parents=True)
    (folder / "etc/old/a").write_text("a")
    (folder / "etc/passwd").write_text("root")
    (folder / "etc/group").write_text("root and others")
    os.link(folder / "etc/group", folder / "etc/group-")
    (folder / "gone").write_text("gone")
    (folder / "swap").write_text("a file")


def _middle(folder: Path) -> None:
    (folder / "etc").mkdir(mode=0o700)
    (folder / "etc/passwd").write_text("root, daemon")
    (folder / "etc/group").write_text("other")
    os.mknod(folder / "gone", stat.S_IFCHR, 0)
    (folder / "swap").mkdir()
    (folder / "swap/b").write_text("b")


def _topmost(folder: Path) -> None:
    (folder / "etc/old").mkdir(parents=True)
    os.setxattr(folder / "etc/old", "trusted.overlay.opaque", b"y")
    (folder / "etc/old/c").symlink_to("../passwd")
    (folder / "etc/passwd").write_text("root, daemon, mysql")


def test_a_squash_shows_what_the_deltas_show_over_each_other(tmp_path: Path) -> None:
    deltas = [_made(tmp_path / make.__name__, make) for make in (_lowest, _middle, _topmost)]
    upper = tmp_path / "upper"
    upper.mkdir()

    squashed = squash_deltas([scan_upper(delta) for delta in deltas], rooted=True)

    with overlay(upper, deltas[::-1], tmp_path / "mount") as root:
        there = shown(root)
    assert {entry.path for entry in squashed} == set(there)
    files = {entry.path: entry for entry in squashed if entry.source}
    for path, (kind, mode, uid, gid, content) in there.items():
        if stat.S_ISREG(kind):
            entry = files[path]
            assert (entry.mode, entry.uid, entry.gid, entry.size) == (mode, uid, gid, len(content))
            assert Path(entry.source or "").read_bytes() == content
    modes = {e.path: e.mode for e in squashed if e.kind is EntryKind.DIRECTORY}
    assert modes == {path: one[1] for path, one in there.items() if stat.S_ISDIR(one[0])}


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    folder.mkdir()
    make(folder)
    return folder
