"""Deltas: what an image's own build changed over its parent and its units' trees."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lamina.engine.stack import ancestors
from lamina.engine.unit import Directory
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.tree import read_entry

Find = Callable[[str], Path | None]

_PLAIN = Directory("", 0o755, 0, 0)
_OPAQUE = "trusted.overlay.opaque"
_CHUNK = 1 << 20


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
            right = directory if path == directory.path else known.get(path, _PLAIN)
            os.chown(place, right.uid, right.gid)
            place.chmod(right.mode)


def finder(lowers: Iterable[Path]) -> Find:
    """Return a function that finds what a path shows in an overlay of `lowers`, topmost first."""
    # Of each directory, those that overlayfs merges: until one is opaque, or no directory.
    merged: dict[str, tuple[str, ...]] = {"": tuple(str(lower) for lower in lowers)}

    def places(folder: str) -> tuple[str, ...]:
        if folder not in merged:
            above, _, name = folder.rpartition("/")
            found = []
            for place in places(above):
                full = f"{place}/{name}"
                status = _status(full)
                if status is None:
                    continue
                if not stat.S_ISDIR(status.st_mode):
                    break
                found.append(full)
                if _is_opaque(full):
                    break
            merged[folder] = tuple(found)
        return merged[folder]

    def find(path: str) -> Path | None:
        above, _, name = path.rpartition("/")
        for place in places(above):
            full = f"{place}/{name}"
            if (status := _status(full)) is not None:
                return None if _is_whiteout(status) else Path(full)
        return None

    return find


def redundant(changes: Iterable[Entry], below: Find) -> frozenset[str]:
    """Return the paths of `changes` that say nothing new over what `below` finds.

    A file says nothing new when type, mode, owner, attributes and content are the same below; a
    directory when mode, owner and attributes are and nothing that is left lies in it. Times do
    not count: a build touches much that it does not change.
    """
    entries = tuple(changes)
    kept: set[str] = set()
    dropped: set[str] = set()
    covered = {entry.path for entry in entries if entry.kind is EntryKind.OPAQUE}
    linked = {entry.target for entry in entries if entry.kind is EntryKind.HARDLINK}
    for entry in reversed(entries):  # what lies in a directory comes after it
        if (
            entry.path in kept
            or entry.path in linked
            or not covered.isdisjoint((entry.path, *ancestors(entry.path)))
            or not _same_below(entry, below(entry.path))
        ):
            kept.update((entry.path, *ancestors(entry.path)))
        else:
            dropped.add(entry.path)
    return frozenset(dropped - kept)


def drop(upper: Path, paths: Iterable[str]) -> None:
    """Remove `paths` from an upper directory, and the sockets, which no layer can hold."""
    for folder, _folders, files in os.walk(upper):
        for name in files:
            place = Path(folder, name)
            if place.is_socket():
                place.unlink()
    for path in sorted(paths, reverse=True):  # what lies deepest first
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


def _status(place: str) -> os.stat_result | None:
    try:
        return os.lstat(place)
    except FileNotFoundError:
        return None


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(folder: str) -> bool:
    return _OPAQUE in os.listxattr(folder) and os.getxattr(folder, _OPAQUE) == b"y"


def _same_below(entry: Entry, place: Path | None) -> bool:
    if entry.kind is EntryKind.WHITEOUT:
        return place is None
    if place is None or entry.kind in (EntryKind.OPAQUE, EntryKind.HARDLINK):
        return False
    found = read_entry(entry.path, place)
    if found is None or _timeless(found) != _timeless(entry):
        return False
    return entry.source is None or _same_content(entry.source, str(place))


def _timeless(entry: Entry) -> Entry:
    return replace(entry, mtime=0, source=None)


def _same_content(one: str, other: str) -> bool:
    with open(one, "rb") as first, open(other, "rb") as second:  # noqa: PTH123
        while chunk := first.read(_CHUNK):
            if chunk != second.read(_CHUNK):
                return False
        return not second.read(1)
