"""A consumer's files on disk: which of them are looked at, and how they become text and back."""

from __future__ import annotations

import codecs
import mmap
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import Fault, UsageError
from lamina.model.image import Type

# Larger files are logs, dumps and archives; they are searched, but not rewritten.
LARGEST = 16 * 2**20
# What is kept beside a tree, which may be a part of a larger one.
RECORD = ".lamina-migration.json"
# What files are written as before they take their places; a kill can leave one behind.
ASIDE = ".lamina-"
_HISTORY = frozenset((".git", ".hg", ".svn"))
_BY_HAND = "change it by hand"
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_OLD_NAME = re.compile(rf"[a-z]-(?:{'|'.join(Type)})-[a-z]".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A text file of a tree."""

    path: str  # relative to the tree, with `/`; a tree that is one file: its name
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The text files of a folder, or one file, sorted by path."""

    root: Path  # without symbolic links
    files: tuple[SourceFile, ...]
    unread: tuple[Fault, ...]  # what may hold references, but was not read

    def place(self, path: str) -> Path:
        """Return where the file of this path lies."""
        return self.root / path if self.root.is_dir() else self.root


def decoded(content: bytes) -> str:
    """Return any `content` as text from which `encoded` makes the same bytes again."""
    return content.decode("utf-8", errors="surrogateescape")


def encoded(text: str) -> bytes:
    """Return the bytes that `decoded` made `text` from."""
    return text.encode("utf-8", errors="surrogateescape")


def resolved(path: Path) -> Path:
    """Return a path without symbolic links; one of links that lead in a circle leads nowhere."""
    return Path(os.path.realpath(path))


def read_tree(root: Path) -> Tree:
    """Return the text files at `root`, a folder or a file.

    A version control's own files are passed over, and what is no text. A link within the tree is
    passed over too: what it leads to is read by its own path. One that leads out is not followed.
    Raises `UsageError` when there is nothing at `root`.
    """
    root = resolved(root)
    files: list[SourceFile] = []
    unread: list[Fault] = []
    if not root.exists():
        raise UsageError.one("no such file or folder", place=str(root), remedy="give a tree")

    def refused(error: OSError) -> None:
        unread.append(_unreadable(root, Path(str(error.filename)), error))

    for path in sorted(_paths(root, refused)):
        try:
            found = _read(root, path)
        except OSError as error:
            found = _unreadable(root, path, error)
        if isinstance(found, Fault):
            unread.append(found)
        elif found is not None:
            files.append(SourceFile(path=_name(root, path), text=found))
    return Tree(root=root, files=tuple(files), unread=tuple(unread))


def _name(root: Path, path: Path) -> str:
    return root.name if path == root else path.relative_to(root).as_posix()


def _unreadable(root: Path, path: Path, error: OSError) -> Fault:
    reason = error.strerror or str(error)
    return Fault(_name(root, path), f"cannot be read: {reason}", "run as who may read it")


def _paths(root: Path, refused: Callable[[OSError], None]) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    for folder, folders, files in os.walk(root, onerror=refused):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(set(folders) - _HISTORY - set(links))
        for name in (*files, *links):
            if not name.startswith(ASIDE) and not name.endswith(RECORD):
                yield here / name


def _read(root: Path, path: Path) -> str | Fault | None:
    """Return the file's text, why it was not read, or None for what is passed over."""
    if path.is_symlink():
        return _linked(root, path)
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        return None
    if state.st_size > LARGEST:
        return _searched(root, path, "is too large to be rewritten")
    content = path.read_bytes()
    if b"\0" not in content:
        return decoded(content)
    if content.startswith(_WIDE) and _OLD_NAME.search(content.replace(b"\0", b"")):
        return Fault(_name(root, path), "is a text, but not in UTF-8; it may name images", _BY_HAND)
    return None


def _linked(root: Path, path: Path) -> Fault | None:
    target = resolved(path)
    if target.is_relative_to(root) or not target.exists():
        return None
    if target.is_dir():
        name = _name(root, path)
        return Fault(name, "a link out of the tree is not followed", f"migrate {target} as well")
    return _searched(root, path, "is a link out of the tree, which is not followed")


def _searched(root: Path, path: Path, why: str) -> Fault | None:
    """Return a fault if the old names of images seem to be in a file."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if not _OLD_NAME.search(content):
                return None
    return Fault(_name(root, path), f"{why}, but may name images", _BY_HAND)
