"""Whether files in the store are still what was put there."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import StoreError
from lamina.model.digest import Digest
from lamina.oci.tar import tar_chunks
from lamina.oci.tree import scan_tree

_NEVER = 0o77777777777  # the last time that a tar header can hold


def check_download(path: Path, digest: Digest, size: int) -> bool:
    """Tell whether the file at `path` has this size in bytes and this content."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != size:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == digest.hex
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What a tree was when it was made: its content, and how the file system showed it.

    The mark is cheap: size, mode, owner, inode, and times of change and of status change to the
    nanosecond. Whatever is written through the file system changes a time of its status, which no
    program can set, so an equal mark means that nothing was written (but for a write in the same
    tick of the kernel's clock, some milliseconds, as the mark was made). A copy of the store has
    another mark and the same content. Not seen by the mark are bytes that rot on the disk itself.
    """

    content: Digest
    mark: Digest

    def to_text(self) -> str:
        """Return the seal as one line."""
        return f"{self.content} {self.mark}\n"

    @classmethod
    def from_text(cls, text: str) -> Seal:
        """Read `to_text` back; raise `ValueError` for anything else."""
        content, mark = text.split()
        return cls(content=Digest.parse(content), mark=Digest.parse(mark))


def seal(root: Path) -> Seal:
    """Return the seal of the directory `root` as it is now; raise `StoreError` if unreadable."""
    # Marked first: what is written while the content is read then breaks the seal.
    mark = tree_mark(root)
    return Seal(content=tree_digest(root), mark=mark)


def renewed(root: Path, known: Seal) -> Seal | None:
    """Return the seal that is right for `root` now, `None` when its content is not the sealed one.

    The content is read only if the mark differs.
    """
    try:
        if tree_mark(root) == known.mark:
            return known
        now = seal(root)
    except StoreError:
        return None
    return now if now.content == known.content else None


def tree_digest(root: Path) -> Digest:
    """Return the digest of all that a layer would hold of `root`: that of its tar stream."""
    digest = hashlib.sha256()
    for chunk in tar_chunks(scan_tree(root), mtime_limit=_NEVER):
        digest.update(chunk)
    return Digest(digest.hexdigest())


def tree_mark(root: Path) -> Digest:
    """Return the digest of the status of everything below `root`; content is not read."""
    lines = []
    folders = [("", os.fspath(root))]
    try:
        while folders:
            prefix, folder = folders.pop()
            with os.scandir(folder) as items:
                for item in items:
                    path = prefix + item.name
                    status = item.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        folders.append((f"{path}/", item.path))
                    lines.append(_line(path, status))
    except OSError as error:
        raise StoreError.one(f"cannot be read: {error.strerror}", place=str(root)) from error
    return Digest.of(b"\0".join(sorted(lines)))


def _line(path: str, status: os.stat_result) -> bytes:
    """Return what counts of a file's status."""
    return b"%b\0%d %d %d %d %d %d %d" % (
        os.fsencode(path),
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_ino,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
