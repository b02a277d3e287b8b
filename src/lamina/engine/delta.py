"""Deltas: what an image's own build changed over its parent and its units' trees."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from filecmp import cmp
from pathlib import Path

from lamina.engine.stack import ancestors
from lamina.engine.unit import Directory
from lamina.oci.entry import Entry, EntryKind

Find = Callable[[str], Path | None]


def make_directories(
    upper: Path, wanted: Iterable[Directory], known: Mapping[str, Directory]
) -> None:
    """Make directories in a fresh upper directory, those above them with what is `known`."""
    for directory in wanted:
        for path in (*ancestors(directory.path), directory.path):
            place = upper / path
            if place.exists():
                continue
            place.mkdir()
            right = directory if path == directory.path else known.get(path)
            if right is not None:
                os.chown(place, right.uid, right.gid)
                place.chmod(right.mode)


def finder(lowers: Iterable[Path]) -> Find:
    """Return a function that finds what a path shows in `lowers`, topmost first."""
    places = tuple(str(lower) for lower in lowers)

    def find(path: str) -> Path | None:
        for place in places:
            full = f"{place}/{path}"
            try:
                status = os.lstat(full)
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                return None
            return None if _is_whiteout(status) else Path(full)
        return None

    return find


def redundant(
    changes: Iterable[Entry], below: Find, hidden: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Return the paths of `changes` that say nothing new over what `below` finds.

    A file says nothing new when type, mode, owner, attributes and content are the same below; a
    directory when mode, owner and attributes are and nothing that is left lies in it. Times do
    not count: a build touches much that it does not change. Below the paths in `hidden`, where an
    earlier delta covers what lies deeper, everything is kept.
    """
    entries = tuple(changes)
    kept: set[str] = set()
    dropped: set[str] = set()
    opaque = {entry.path for entry in entries if entry.kind is EntryKind.OPAQUE}
    linked = {entry.target for entry in entries if entry.kind is EntryKind.HARDLINK}
    for entry in reversed(entries):  # what lies in a directory comes after it
        if (
            entry.path in kept
            or entry.path in opaque
            or entry.path in linked
            or not hidden.isdisjoint((entry.path, *ancestors(entry.path)))
            or not _same_below(entry, below(entry.path))
        ):
            kept.update((entry.path, *ancestors(entry.path)))
        else:
            dropped.add(entry.path)
    return frozenset(dropped - kept)


def drop(upper: Path, paths: Iterable[str]) -> None:
    """Remove `paths` from an upper directory, what lies deepest first."""
    for path in sorted(paths, reverse=True):
        place = upper / path
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        else:
            place.unlink()


def clamp_times(upper: Path, changes: Iterable[Entry], epoch: int) -> tuple[Entry, ...]:
    """Set every time after `epoch` to it, on disk too, and return the entries as they are now.

    On disk because scripts of the image's children see these times.
    """
    clamped = []
    for entry in reversed(tuple(changes)):  # directories after their contents
        if entry.kind not in (EntryKind.WHITEOUT, EntryKind.OPAQUE):
            mtime = min(entry.mtime, epoch)
            os.utime(upper / entry.path, (mtime, mtime), follow_symlinks=False)
        clamped.append(replace(entry, mtime=min(entry.mtime, epoch)))
    return tuple(reversed(clamped))


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _same_below(entry: Entry, place: Path | None) -> bool:
    if entry.kind is EntryKind.WHITEOUT:
        return place is None
    if place is None or entry.kind in (EntryKind.OPAQUE, EntryKind.HARDLINK):
        return False
    status = place.lstat()
    if (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) != (
        entry.mode, entry.uid, entry.gid,
    ):  # fmt: skip
        return False
    if tuple((n, os.getxattr(place, n, follow_symlinks=False)) for n in sorted(
        n for n in os.listxattr(place, follow_symlinks=False)
        if not n.startswith("trusted.overlay.")
    )) != entry.xattrs:  # fmt: skip
        return False
    match entry.kind:
        case EntryKind.DIRECTORY:
            return stat.S_ISDIR(status.st_mode)
        case EntryKind.SYMLINK:
            return stat.S_ISLNK(status.st_mode) and str(place.readlink()) == entry.target
        case EntryKind.FILE:
            return (
                stat.S_ISREG(status.st_mode)
                and status.st_size == entry.size
                and entry.source is not None
                and cmp(place, entry.source, shallow=False)
            )
        case _:
            return False
