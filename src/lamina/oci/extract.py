"""Layers unpacked into a folder, safe against archives that are made to write elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from gzip import BadGzipFile
from pathlib import Path
from typing import BinaryIO

from isal import igzip, isal_zlib

from lamina.errors import Fault, StoreError
from lamina.oci.disk import disk_faults, write_all
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.rooted import RootedFolder
from lamina.oci.untar import Limits, RefusedError, read_entries

# The module's stub does not say that it is a class.
_DeflateError: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.")


def extract_layer(blob: BinaryIO, into: Path, *, limits: Limits = Limits()) -> None:  # noqa: B008
    """Unpack a gzip layer into the existing folder `into`, over the lower layers in it.

    Modes, owners, times, extended attributes and devices are restored; whiteouts remove what
    lower layers put there. Nothing outside `into` is read or written, whatever the archive says.
    Raises `StoreError` for a damaged or hostile archive, beyond `limits`, and when the disk is
    full or something is not permitted; what has been unpacked until then is left.
    """
    stream = igzip.IGzipFile(fileobj=blob)  # type: ignore[no-untyped-call]
    with disk_faults(into, "folder"), damage_told():
        write_entries(read_entries(stream, limits), into)


def write_entries(entries: Iterable[tuple[Entry, Iterable[bytes]]], into: Path) -> None:
    """Put entries with their content into the existing folder `into`; see `extract_layer`.

    Raises `RefusedError` for what would lie or lead elsewhere, and `OSError`.
    """
    with RootedFolder(into) as root:
        unpack(entries, Unpacking(root))


def unpack(entries: Iterable[tuple[Entry, Iterable[bytes]]], unpacking: Unpacking) -> None:
    """Put entries with their content where `unpacking` puts them; raises as `write_entries`."""
    for entry, content in entries:
        with _detours_told(entry):
            unpacking.add(entry, content)
    unpacking.finish()


class Unpacking:
    """One layer on its way into a folder."""

    def __init__(self, root: RootedFolder) -> None:
        self._root = root
        self._written: set[str] = set()  # what whiteouts of this same layer must not remove
        self._folders: dict[str, Entry] = {}

    def add(self, entry: Entry, content: Iterable[bytes]) -> None:
        """Put one entry in its place."""
        match entry.kind:
            case EntryKind.OPAQUE:
                with suppress(FileNotFoundError):
                    self._hide_below(self._root.folder(entry.path), entry.path)
            case EntryKind.WHITEOUT:
                parent, _, name = entry.path.rpartition("/")
                with suppress(FileNotFoundError):
                    self._hide(self._root.folder(parent), name, entry.path)
            case EntryKind.DIRECTORY:
                self._add_folder(entry)
            case _:
                self._add_file(entry, content)

    def finish(self) -> None:
        """Give the folders what their entries say: last, for writing into them changes times.

        Innermost first, or a folder could be closed to its owner before what lies in it is done.
        """
        for path in sorted(self._folders, reverse=True):
            _restore(self._root.folder(path), self._folders[path])

    def _add_folder(self, entry: Entry) -> None:
        """Make a folder, or take over the one of a lower layer."""
        parent, _, name = entry.path.rpartition("/")
        if name:
            folder = self._root.folder(parent, make=True)
            if not _is_folder(folder, name):
                _remove(folder, name)
                os.mkdir(name, 0o700, dir_fd=folder)
        self._note(entry.path)
        self._folders[entry.path] = entry

    def _add_file(self, entry: Entry, content: Iterable[bytes]) -> None:
        """Make anything but a folder, in place of what is there."""
        parent, _, name = entry.path.rpartition("/")
        if not name:
            raise RefusedError("its root is no directory", entry.path)
        if entry.kind is EntryKind.HARDLINK:
            # A copy, for the next look-up closes the folder that this one has opened.
            source = os.dup(self._root.folder(entry.target.rpartition("/")[0]))
            try:
                self._link(entry, source, self._root.folder(parent, make=True), name)
            finally:
                os.close(source)
        else:
            folder = self._root.folder(parent, make=True)
            self._clear(folder, name, entry.path)
            _make(folder, name, entry, content)
        self._note(entry.path)

    def _link(self, entry: Entry, source: int, folder: int, name: str) -> None:
        """Make a hard link to a file of the tree."""
        if entry.target == entry.path:
            raise RefusedError("a hard link names itself", entry.path)
        target = entry.target.rpartition("/")[2]
        if not target or _is_folder(source, target):
            raise RefusedError("a hard link names a directory", entry.path)
        self._clear(folder, name, entry.path)
        os.link(target, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)

    def _clear(self, folder: int, name: str, path: str) -> None:
        """Remove what is at a path, and forget the folders that it held."""
        if _is_folder(folder, name):
            below = f"{path}/"
            self._folders = {
                known: entry
                for known, entry in self._folders.items()
                if known != path and not known.startswith(below)
            }
        _remove(folder, name)

    def _note(self, path: str) -> None:
        """Keep in mind that this layer has written a path, and so the folders above it."""
        while path not in self._written:
            self._written.add(path)
            path = path.rpartition("/")[0]

    def _hide(self, folder: int, name: str, path: str) -> None:
        """Remove what lower layers have at a path."""
        if path not in self._written:
            _remove(folder, name)
        elif _is_folder(folder, name):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                self._hide_below(inner, path)
            finally:
                os.close(inner)

    def _hide_below(self, folder: int, path: str) -> None:
        """Remove what lower layers have below a path."""
        for name in os.listdir(folder):
            self._hide(folder, name, f"{path}/{name}" if path else name)


def _make(folder: int, name: str, entry: Entry, content: Iterable[bytes]) -> None:
    """Make a file, symbolic link, fifo or device, where nothing is."""
    match entry.kind:
        case EntryKind.FILE:
            file = os.open(name, _NEW, 0o600, dir_fd=folder)
            try:
                for chunk in content:
                    write_all(file, chunk)
                _restore(file, entry)
            finally:
                os.close(file)
            return
        case EntryKind.SYMLINK:
            os.symlink(entry.target, name, dir_fd=folder)
        case EntryKind.FIFO:
            os.mkfifo(name, 0o600, dir_fd=folder)
        case EntryKind.CHAR | EntryKind.BLOCK:
            if entry.rdev == 0:
                raise RefusedError("device 0/0 is overlayfs's own mark", entry.path)
            type_ = stat.S_IFCHR if entry.kind is EntryKind.CHAR else stat.S_IFBLK
            os.mknod(name, type_ | 0o600, entry.rdev, dir_fd=folder)
        case _:
            raise ValueError(entry.kind)
    made = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    try:
        _restore(made, entry)
    finally:
        os.close(made)


def _restore(file: int, entry: Entry) -> None:
    """Give an open file the owner, mode, attributes and time of its entry.

    In this order: a change of owner takes set-user-id bits and capabilities away.
    """
    # By this path because calls that take a descriptor refuse one opened with O_PATH.
    place = f"/proc/self/fd/{file}"
    try:
        os.chown(place, entry.uid, entry.gid)
        if entry.kind is not EntryKind.SYMLINK:
            os.chmod(place, entry.mode)  # noqa: PTH101 - a call for every file of an image
        for name, value in entry.xattrs:
            if name.startswith(_OVERLAY_PREFIXES):
                raise RefusedError(f"attribute {name} is overlayfs's own mark", entry.path)
            os.setxattr(place, name, value)
        os.utime(place, (entry.mtime, entry.mtime))
    except OSError as error:
        raise StoreError.one(
            f"owner, mode or attributes cannot be set: {error.strerror}",
            place=entry.path,
            remedy="run as root, on a file system with extended attributes",
        ) from error


def _is_folder(folder: int, name: str) -> bool:
    """Tell whether `name` is a folder itself, not a link to one."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _remove(folder: int, name: str) -> None:
    """Remove what `name` is in the open folder, with all below it, if it is there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=folder)


@contextmanager
def damage_told() -> Iterator[None]:
    """Turn the refusal of a layer, and errors of its decompression, into a `StoreError`."""
    try:
        with gzip_told():
            yield
    except RefusedError as error:
        remedy = "it is damaged or made to do harm"
        fault = Fault(error.path, f"the layer is refused: {error.why}", remedy)
        raise StoreError(fault) from error


@contextmanager
def gzip_told() -> Iterator[None]:
    """Turn errors of decompression into the refusal of the archive."""
    try:
        yield
    except (EOFError, BadGzipFile, _DeflateError) as error:
        raise RefusedError(f"it cannot be decompressed: {error}") from error


@contextmanager
def _detours_told(entry: Entry) -> Iterator[None]:
    """Turn errors of a path that goes through a link or a file into the refusal of the archive."""
    try:
        yield
    except NotADirectoryError as error:
        raise RefusedError("its path goes through what is no directory", entry.path) from error
    except FileNotFoundError as error:
        raise RefusedError("a hard link names what is not there", entry.path) from error
