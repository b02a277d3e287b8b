"""What all parts of the program need to speak to the kernel."""

from __future__ import annotations

import ctypes
import os
from typing import Any

Json = dict[str, Any]

LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Return `result` of a call into libc, or raise what it failed with."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def write(descriptor: int, content: bytes) -> None:
    """Write all of `content`."""
    while content:
        content = content[os.write(descriptor, content) :]
