"""The content of a blob on this machine, checked as it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lamina.errors import LaminaError, StoreError
from lamina.model.digest import Digest

CHUNK = 256 * 1024  # bytes


def checked_chunks(path: Path, digest: Digest, size: int) -> Iterator[bytes]:
    """Yield the content of the file at `path`, the last of it only if all is what it should be.

    So that nobody gets the whole of a damaged blob. Raises `StoreError`.
    """
    sha256 = hashlib.sha256()
    try:
        with path.open("rb") as file:
            found = path.stat().st_size
            if found != size:
                raise _damaged(digest, f"it has {found} bytes, not {size}")
            chunk = file.read(CHUNK)
            while chunk:
                sha256.update(chunk)
                after = file.read(CHUNK)
                if not after and sha256.hexdigest() != digest.hex:
                    raise _damaged(digest, f"its content is sha256:{sha256.hexdigest()}")
                yield chunk
                chunk = after
    except OSError as error:
        raise _damaged(digest, f"it cannot be read: {error.strerror}") from error


def _damaged(digest: Digest, why: str) -> LaminaError:
    return StoreError.one(f"blob {digest}: {why}", remedy="run `lamina build --verify` first")
