"""What an archive holds, all of it looked at before anything is taken out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lamina.oci.entry import WHITEOUT_PREFIX, Entry, EntryKind
from lamina.oci.untar import RefusedError

_SPECIAL = {EntryKind.CHAR, EntryKind.BLOCK, EntryKind.FIFO}
_NAME_LIMIT = 255  # bytes, of Linux
_PATH_LIMIT = 3072  # bytes: Linux takes 4096, the rest is for the place of the tree
_DEPTH_LIMIT = 64
_LATEST = (1 << 33) - 1  # seconds since 1970: what a layer's header can hold
_HOPS = 40  # links that lead to links, as the kernel follows them


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What an archive holds, with nothing in it that leads out of it."""

    members: Mapping[str, Entry]  # files and links by path, in the archive's order
    folders: frozenset[str]  # all, whether or not the archive has a member for each

    def content_of(self, path: str) -> str:
        """Return the path of the file whose content a file or hard link has."""
        entry = self.members[path]
        return entry.target if entry.kind is EntryKind.HARDLINK else path


def read_contents(members: Iterable[tuple[Entry, Iterable[bytes]]]) -> Contents:
    """Return what the members of an archive are, each read to its end.

    Raises `RefusedError` for members that would lie or lead elsewhere, that no file system or
    layer takes, or of which two have one path.
    """
    found: dict[str, Entry] = {}
    folders: set[str] = set()
    for entry, content in members:
        _check_name(entry)
        if entry.kind is EntryKind.DIRECTORY:
            folders.add(entry.path)
        elif entry.path in found or not entry.path:
            raise RefusedError("it is there twice", entry.path)
        else:
            found[entry.path] = entry
        folders.update(_above(entry.path))
        for _ in content:
            pass
    folders.discard("")
    contents = Contents(members=found, folders=frozenset(folders))
    _check_shape(contents)
    return contents


def _check_name(entry: Entry) -> None:
    path = entry.path
    if entry.kind in _SPECIAL:
        raise RefusedError(f"it is a {entry.kind}, neither file, link nor directory", path)
    texts = (path, entry.target)
    for text in texts:
        if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text):
            raise RefusedError("its name has control characters", path)
        if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
            raise RefusedError("its name is not UTF-8", path)
    if entry.mtime > _LATEST:
        raise RefusedError(f"its time is {entry.mtime}", path)
    names = path.split("/")
    marked = entry.kind in (EntryKind.WHITEOUT, EntryKind.OPAQUE)
    if marked or any(name.startswith(WHITEOUT_PREFIX) for name in names):
        raise RefusedError("layers keep names that begin with '.wh.' for themselves", path)
    if len(names) > _DEPTH_LIMIT:
        raise RefusedError(f"it lies more than {_DEPTH_LIMIT} folders deep", path[:80])
    longest = max(len(os.fsencode(name)) for name in names)
    if longest > _NAME_LIMIT or max(len(os.fsencode(text)) for text in texts) > _PATH_LIMIT:
        raise RefusedError("its name is too long", path[:80])


def _check_shape(contents: Contents) -> None:
    for path, entry in contents.members.items():
        if path in contents.folders:
            raise RefusedError("it is a file or link, and other members lie below it", path)
        if entry.kind is EntryKind.SYMLINK:
            follow(path, contents)
        elif entry.kind is EntryKind.HARDLINK:
            target = contents.members.get(entry.target)
            if target is None or target.kind is not EntryKind.FILE:
                raise RefusedError(f"it is a hard link to {entry.target!r}, no file of it", path)


def follow(path: str, contents: Contents, *, floor: int = 0) -> None:
    """Follow the symbolic link at `path` to its end, there or not.

    Raises `RefusedError` for one that leads to itself or out of the archive, were it on the way
    only; with a `floor`, out of the folder of so many names that it lies in.
    """
    parts = path.split("/")[:-1]
    waiting = contents.members[path].target.split("/")[::-1]
    if contents.members[path].target.startswith("/"):
        raise RefusedError("it is a link to an absolute path", path)
    hops = 0
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            if len(parts) <= floor:
                raise RefusedError("it is a link that leads out of the archive", path)
            parts.pop()
            continue
        parts.append(name)
        link = contents.members.get("/".join(parts))
        if link is None or link.kind is not EntryKind.SYMLINK:
            continue
        hops += 1
        if hops > _HOPS or len(parts) > 2 * _DEPTH_LIMIT:
            raise RefusedError("it is a link that leads to itself, or too far", path)
        parts.pop()
        if link.target.startswith("/"):
            raise RefusedError("it leads through a link to an absolute path", path)
        waiting.extend(link.target.split("/")[::-1])


def _above(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path
