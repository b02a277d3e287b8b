"""Overlay mounts for tests, with the options of the sandbox, and what they show."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lamina.engine.unit import Directory, UnitFacts
from lamina.model.digest import Digest
from lamina.oci.entry import EntryKind
from lamina.oci.tree import scan_tree

_LIBC = ctypes.CDLL(None, use_errno=True)
_DETACH = 2

# Type, mode, owner, group, content or target: all that a file is but its times and names.
Shown = Mapping[str, tuple[int, int, int, int, bytes]]


@contextmanager
def overlay(upper: Path, lowers: Sequence[Path], folder: Path) -> Iterator[Path]:
    """Mount an overlay and yield where; `folder` is for what the mount needs."""
    work, root = folder / "work", folder / "root"
    for path in (work, root):
        path.mkdir(parents=True)
    options = (
        f"lowerdir={':'.join(map(str, lowers))},upperdir={upper},workdir={work},"
        "redirect_dir=off,metacopy=off,index=off,xino=off,volatile"
    )
    mounted = _LIBC.mount(b"overlay", bytes(root), b"overlay", ctypes.c_ulong(0), options.encode())
    if mounted < 0:
        raise OSError(ctypes.get_errno(), f"mount: {options}")
    try:
        yield root
    finally:
        _LIBC.umount2(bytes(root), _DETACH)
        shutil.rmtree(folder)


def shown(root: Path) -> Shown:
    """Return all that a tree shows."""
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        content = b""
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = os.fsencode(path.readlink())
        kind, mode = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)
        found[str(path.relative_to(root))] = (kind, mode, status.st_uid, status.st_gid, content)
    return found


def directories(root: Path) -> Mapping[str, Directory]:
    """Return the directories that a tree shows."""
    return {
        path: Directory(path, mode, uid, gid)
        for path, (kind, mode, uid, gid, _) in shown(root).items()
        if kind == stat.S_IFDIR
    }


def facts_of(name: str, tree: Path) -> UnitFacts:
    """Return the facts of a unit whose tree this is."""
    entries = scan_tree(tree)
    return UnitFacts(
        digest=Digest.of(name.encode()),
        name=name,
        instance=name,
        version="1",
        architecture="all",
        epoch=0,
        size=0,
        conffiles=(),
        files=tuple(e.path for e in entries if e.kind is not EntryKind.DIRECTORY),
        directories=tuple(
            Directory(e.path, e.mode, e.uid, e.gid)
            for e in entries
            if e.kind is EntryKind.DIRECTORY
        ),
        links=tuple(e.path for e in entries if e.kind is EntryKind.SYMLINK),
    )
