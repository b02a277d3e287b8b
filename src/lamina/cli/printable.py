"""Texts of images as they may be printed: nothing in them can control a terminal."""

from __future__ import annotations

import os


def printable(text: str) -> str:
    """Return `text` with escapes in place of what cannot be printed."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def path_text(path: str) -> str:
    """Return a path of an image, which may be of any bytes, as an absolute one."""
    return "/" + printable(os.fsencode(path).decode(errors="backslashreplace"))
