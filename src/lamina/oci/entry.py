"""One file of a tree, as it goes into a layer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum

WHITEOUT_PREFIX = ".wh."
OPAQUE_NAME = ".wh..wh..opq"


class EntryKind(StrEnum):
    """What an entry is; the last two hide what lower layers have at their path."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    FIFO = "fifo"
    CHAR = "char"
    BLOCK = "block"
    WHITEOUT = "whiteout"  # the path is gone
    OPAQUE = "opaque"  # the directory at the path shows nothing of lower layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, directory, link, device or whiteout.

    Paths are relative, without `./` or a slash at the end, and decoded as Python does for file
    names, so that any bytes survive. The tree's own root has the empty path.
    """

    path: str
    kind: EntryKind
    mode: int = 0  # permission bits only
    uid: int = 0
    gid: int = 0
    mtime: int = 0  # seconds since 1970
    size: int = 0  # bytes of content; 0 for all but files
    target: str = ""  # of a symlink, or the path of the file that a hard link names
    rdev: int = 0  # of a device
    xattrs: tuple[tuple[str, bytes], ...] = ()  # sorted by name
    source: str | None = None  # where a file's content lies on this machine


def layer_path(entry: Entry) -> str:
    """Return the path under which a layer holds the entry: a whiteout's has its own name."""
    if entry.kind is EntryKind.OPAQUE:
        return f"{entry.path}/{OPAQUE_NAME}" if entry.path else OPAQUE_NAME
    if entry.kind is EntryKind.WHITEOUT:
        folder, slash, name = entry.path.rpartition("/")
        return f"{folder}{slash}{WHITEOUT_PREFIX}{name}"
    return entry.path


def layer_order(entry: Entry) -> bytes:
    """Return what to sort a layer's entries by: the path's bytes, whiteouts before siblings.

    The image specification asks for whiteouts first; NUL sorts before every name.
    """
    path = os.fsencode(entry.path)
    if entry.kind is EntryKind.OPAQUE:
        return path + b"/\0" if path else b"\0"
    if entry.kind is EntryKind.WHITEOUT:
        folder, slash, name = path.rpartition(b"/")
        return folder + slash + b"\0" + name
    return path
