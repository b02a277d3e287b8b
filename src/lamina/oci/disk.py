"""What the user is told when the disk refuses: full, read-only, or forbidden."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lamina.errors import StoreError

NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT))
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


Place = Literal["store", "folder"]  # lamina's own, or one of the user's
_REMEDIES: Mapping[Place, str] = {
    "store": "remove what no image needs with `lamina gc`, or give a larger `--store`",
    "folder": "make room there, or choose another folder",
}


@contextmanager
def disk_faults(root: Path, place: Place = "store") -> Iterator[None]:
    """Turn every `OSError` of the block into a `StoreError` that tells where it was: at `root`."""
    try:
        with full_disk(root, place):
            yield
    except OSError as error:
        at = str(error.filename or root)
        if error.errno not in _FORBIDDEN:
            raise StoreError.one(error.strerror or str(error), place=at) from error
        raise StoreError.one(
            f"the {place} ({root}) is not writable: {at}",
            remedy=f"run as its owner, or give another {place}",
        ) from error


@contextmanager
def full_disk(root: Path, place: Place = "store") -> Iterator[None]:
    """Turn an `OSError` of the block that tells of a full disk into a `StoreError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise StoreError.one(
            f"no space left in the {place} ({root})", remedy=_REMEDIES[place]
        ) from error


def write_all(file: int, content: bytes | bytearray) -> None:
    """Write the whole of `content` into an open file: one call may write a part on a full disk."""
    with memoryview(content) as view:
        done = 0
        while done < len(view):
            done += os.write(file, view[done:])
