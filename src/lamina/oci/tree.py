"""Trees of entries: read from plain directories and overlay upper directories, and merged."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lamina.errors import StoreError
from lamina.oci.entry import Entry, EntryKind, layer_order

_KINDS = {
    stat.S_IFREG: EntryKind.FILE,
    stat.S_IFDIR: EntryKind.DIRECTORY,
    stat.S_IFLNK: EntryKind.SYMLINK,
    stat.S_IFIFO: EntryKind.FIFO,
    stat.S_IFCHR: EntryKind.CHAR,
    stat.S_IFBLK: EntryKind.BLOCK,
}
_OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.")  # the second in user namespaces
_HOST_LABELS = ("security.selinux", "security.ima", "security.evm")  # the host's, not the tree's
_UNREADABLE_MARKS = ("redirect", "metacopy")
_NEVER_LINKED = {EntryKind.DIRECTORY, EntryKind.OPAQUE, EntryKind.WHITEOUT}

_Xattrs = tuple[tuple[str, bytes], ...]
_Inode = tuple[int, int, int]  # device, number, how many names
_Read = Callable[[str, str, os.stat_result], Iterable[Entry]]


def scan_tree(root: Path) -> tuple[Entry, ...]:
    """Return what lies below the directory `root`, in the order of a layer.

    Of files with several names the first by path is the file, the others are hard links to it.
    Sockets are left out, and so are overlayfs's and security modules' own extended attributes.
    Raises `StoreError` when something cannot be read.
    """
    return _scan(root, _plain)


def scan_upper(root: Path) -> tuple[Entry, ...]:
    """Return the changes that the overlayfs upper directory `root` holds, as a layer's entries.

    As `scan_tree`, and overlayfs's marks for what is removed become whiteouts (the kernel's
    documentation, filesystems/overlayfs). Raises `StoreError` when the overlay was mounted with
    `redirect_dir` or `metacopy`, for then the directory does not hold all content.
    """
    return _scan(root, _upper)


def read_entry(path: str, place: Path) -> Entry | None:
    """Return the entry that the one file at `place` is at `path` of a tree; none of a socket."""
    return next(iter(_plain(path, os.fspath(place), place.lstat())), None)


def merge_trees(trees: Iterable[Sequence[Entry]]) -> tuple[Entry, ...]:
    """Return one tree of several plain ones, topmost first: at each path the first counts.

    This is what an overlay mount of the same trees shows, so that one layer of all of them means
    the same as a layer for each.
    """
    merged: dict[str, Entry] = {}
    for tree in trees:
        merged.update({entry.path: entry for entry in _uncovered(tree, merged)})
    return tuple(sorted(merged.values(), key=layer_order))


def _uncovered(tree: Sequence[Entry], above: Mapping[str, Entry]) -> Iterator[Entry]:
    """Yield the entries of `tree` that show below `above`, hard links mended."""
    hidden: set[str] = set()  # covered by something that is no directory, with all below
    lost: dict[str, Entry] = {}
    heirs: dict[str, str] = {}
    for entry in tree:
        cover = above.get(entry.path)
        parent = entry.path.rpartition("/")[0]
        if parent in hidden or cover is not None:
            if cover is None or cover.kind is not EntryKind.DIRECTORY:
                hidden.add(entry.path)
            lost[entry.path] = entry
        elif entry.kind is EntryKind.HARDLINK and entry.target in lost:
            # The file that it names is covered, so the first name left becomes the file.
            heir = heirs.setdefault(entry.target, entry.path)
            if heir != entry.path:
                yield replace(entry, target=heir)
            else:
                yield replace(lost[entry.target], path=entry.path, source=entry.source)
        else:
            yield entry


def _scan(root: Path, read: _Read) -> tuple[Entry, ...]:
    """Return the entries that `read` makes of everything below `root`, in a layer's order."""
    try:
        found = [
            (entry, (status.st_dev, status.st_ino, status.st_nlink))
            for path, full, status in _walk(os.fspath(root))
            for entry in read(path, full, status)
        ]
    except OSError as error:
        raise StoreError.one(
            f"cannot be read: {error.strerror}", place=os.fsdecode(error.filename or root)
        ) from error
    found.sort(key=lambda item: layer_order(item[0]))
    return tuple(_hard_linked(found))


def _walk(root: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield relative path, full path and status of everything below `root`, in any order."""
    folders = [("", root)]
    while folders:
        prefix, folder = folders.pop()
        with os.scandir(folder) as items:
            for item in items:
                path = prefix + item.name
                status = item.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    folders.append((f"{path}/", item.path))
                yield path, item.path, status


def _hard_linked(found: Iterable[tuple[Entry, _Inode]]) -> Iterator[Entry]:
    """Yield the entries, each further name of an inode as a hard link to the first."""
    firsts: dict[_Inode, str] = {}
    for entry, inode in found:
        if inode[2] > 1 and entry.kind not in _NEVER_LINKED:
            first = firsts.setdefault(inode, entry.path)
            if first != entry.path:
                link = EntryKind.HARDLINK
                yield replace(entry, kind=link, target=first, size=0, rdev=0, xattrs=())
                continue
        yield entry


def _plain(path: str, full: str, status: os.stat_result) -> Iterable[Entry]:
    """Return the entry of a file in a plain directory; none of a socket."""
    if stat.S_ISSOCK(status.st_mode):
        return ()
    xattrs = tuple(x for x in _xattrs(full) if not x[0].startswith(_OVERLAY_PREFIXES))
    return (_entry(path, full, status, xattrs),)


def _upper(path: str, full: str, status: os.stat_result) -> Iterable[Entry]:
    """Return the entries of a file in an overlay upper directory."""
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return (Entry(path=path, kind=EntryKind.WHITEOUT, mtime=int(status.st_mtime)),)
    if stat.S_ISSOCK(status.st_mode):
        return ()
    kept, marks = [], {}
    for name, value in _xattrs(full):
        if name.startswith(_OVERLAY_PREFIXES):
            marks[name.rpartition(".")[2]] = value
        else:
            kept.append((name, value))
    if any(mark in marks for mark in _UNREADABLE_MARKS):
        raise StoreError.one(
            "its content lies in a lower layer",
            place=path,
            remedy="mount the overlay with redirect_dir=off,metacopy=off",
        )
    entry = _entry(path, full, status, tuple(kept))
    if marks.get("opaque") != b"y":
        return (entry,)
    return entry, Entry(path=path, kind=EntryKind.OPAQUE, mtime=entry.mtime)


def _entry(path: str, full: str, status: os.stat_result, xattrs: _Xattrs) -> Entry:
    """Return the entry of a file with this status."""
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    return Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=int(status.st_mtime),
        size=status.st_size if kind is EntryKind.FILE else 0,
        target=os.readlink(full) if kind is EntryKind.SYMLINK else "",  # noqa: PTH115 - speed
        rdev=status.st_rdev,
        xattrs=xattrs,
        source=full if kind is EntryKind.FILE else None,
    )


def _xattrs(full: str) -> _Xattrs:
    """Return the extended attributes, sorted by name; none where the file system has none."""
    try:
        names = os.listxattr(full, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise
    return tuple(
        (name, os.getxattr(full, name, follow_symlinks=False))
        for name in sorted(names)
        if name not in _HOST_LABELS
    )
