"""Layers as overlay upper directories: `scan_upper` the other way round."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from isal import igzip

from lamina.errors import StoreError
from lamina.model.digest import Digest
from lamina.oci.disk import disk_faults
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.extract import Unpacking, damage_told, unpack
from lamina.oci.rooted import RootedFolder
from lamina.oci.tar import END, tar_chunks
from lamina.oci.tree import scan_upper
from lamina.oci.untar import Limits, read_entries

_OPAQUE = "trusted.overlay.opaque"


def restore_upper(blob: BinaryIO, into: Path, *, diff_id: Digest, mtime_limit: int) -> None:
    """Make of a delta's layer, in the empty folder `into`, the upper directory that it was made of.

    What comes of it is read back: as a layer it would have the same `diff_id` again, its times
    not after `mtime_limit` (seconds since 1970). Raises `StoreError` when it would not, for a
    damaged or hostile archive, and as `extract_layer` does.
    """
    stream = igzip.IGzipFile(fileobj=blob)  # type: ignore[no-untyped-call]
    with disk_faults(into), damage_told(), RootedFolder(into) as root:
        unpack(read_entries(stream, Limits()), _Marking(root))
    found = _diff_id(scan_upper(into), mtime_limit)
    if found != diff_id:
        raise StoreError.one(
            f"the upper directory is not that of the layer: it gives {found}, not {diff_id}",
            place=str(into),
            remedy="the layer was not made by lamina: build the image here",
        )


class _Marking(Unpacking):
    """Marks what is removed as overlayfs does (the kernel's filesystems/overlayfs)."""

    def __init__(self, root: RootedFolder) -> None:
        super().__init__(root)
        self._opaque: list[str] = []

    def add(self, entry: Entry, content: Iterable[bytes]) -> None:
        """Put one entry in its place, or its mark."""
        match entry.kind:
            case EntryKind.OPAQUE:
                self._opaque.append(entry.path)
            case EntryKind.WHITEOUT:
                parent, _, name = entry.path.rpartition("/")
                folder = self._root.folder(parent, make=True)
                os.mknod(name, stat.S_IFCHR, 0, dir_fd=folder)
                times = (entry.mtime, entry.mtime)
                os.utime(name, times, dir_fd=folder, follow_symlinks=False)
            case _:
                super().add(entry, content)

    def finish(self) -> None:
        """Give the folders what their entries say, and the marks."""
        super().finish()
        for path in self._opaque:
            os.setxattr(self._root.folder(path), _OPAQUE, b"y")


def _diff_id(entries: Iterable[Entry], mtime_limit: int) -> Digest:
    """Return the digest of a tar of one run of entries."""
    sha256 = hashlib.sha256()
    for chunk in tar_chunks(entries, mtime_limit=mtime_limit):
        sha256.update(chunk)
    sha256.update(END)
    return Digest(sha256.hexdigest())
