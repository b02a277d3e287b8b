"""Addresses as they may be shown."""

from __future__ import annotations

import re

# Up to the last `@` before the path: a password may hold one.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s'\"]*@")


def without_credentials(text: str) -> str:
    """Return `text` with user and password left out of every address in it."""
    return _CREDENTIALS.sub("", text)
