"""Whether files in the store are still what was put there."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import Fault, StoreError
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.oci.claims import replace_file
from lamina.oci.layout import Layout

_HEALS = "the image is built again"


def check_download(path: Path, digest: Digest, size: int | None) -> bool:
    """Tell whether the file at `path` has this content, and this size in bytes if it is known."""
    try:
        with path.open("rb") as file:
            if size is not None and os.fstat(file.fileno()).st_size != size:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == digest.hex
    except OSError:
        return False


def damaged_blobs(built: Built, layout: Layout, sound: set[Digest]) -> tuple[Fault, ...]:
    """Return what is wrong with an image's blobs, each read and checked; damaged ones are removed.

    Blobs in `sound` were checked before, and those found right are added to it.
    """
    faults = []
    for digest in (built.manifest, built.config, *(layer.digest for layer in built.layers)):
        if digest in sound:
            continue
        if fault := layout.verify_blob(digest):
            faults.append(Fault(str(built.id), fault.message, _HEALS))
            layout.blob_path(digest).unlink(missing_ok=True)
        else:
            sound.add(digest)
    return tuple(faults)


@dataclass(frozen=True, slots=True)
class SealedFolder:
    """A folder that came whole to the place `path`, and the seal beside it that shows changes.

    The seal is the folder's mark (`tree_mark`), so it is cheap and content is never read. A copy
    has another mark than its original: of a copied store the units and deltas count as changed,
    and are made again. Not seen are bytes that rot on the disk itself.
    """

    path: Path
    work: Path  # a folder on the same file system for what is made aside

    @property
    def seal(self) -> Path:
        """Where the seal lies."""
        return self.path.with_name(f"{self.path.name}.seal")

    def keep(self, folder: Path) -> None:
        """Seal a finished folder of the same file system, and move it to its place.

        Nothing may be there. A process that is killed between the two leaves a seal of nothing.
        """
        replace_file(self.seal, _text(tree_mark(folder)), aside=self.work)
        folder.rename(self.path)

    def is_intact(self) -> bool:
        """Tell whether the folder is there and as it was when it was kept."""
        try:
            return self.seal.read_bytes() == _text(tree_mark(self.path))
        except (OSError, StoreError):
            return False


def tree_mark(root: Path) -> Digest:
    """Return the digest of the status of `root` and all below it; content is not read.

    Whatever is written through the file system changes the time of a status change, which no
    program can set, so an equal mark means that nothing was written (but for a write in the same
    tick of the kernel's clock, some milliseconds, as the mark was made).
    """
    folders = [("", os.fspath(root))]
    try:
        status = root.stat(follow_symlinks=False)
        # Of the root no times: it is moved to its place after it was marked.
        lines = [b"%d %d %d" % (status.st_mode, status.st_uid, status.st_gid)]
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


def _text(mark: Digest) -> bytes:
    """Return a seal's content."""
    return f"{mark}\n".encode()
