"""How much of a text fits: nobody measures it here, so letters are as wide as in wide fonts."""

from __future__ import annotations

PADDING = 6.0
"""The room beside a label."""

_NARROW, _WIDE = frozenset("fijlrt.,:-|()'!I/ "), frozenset("mwMWGOQ%@&")
_LEAST = 5  # letters of a shortened name that still say something
_BOLD = 1.14


def text_width(text: str, *, bold: bool = False) -> float:
    """Return how wide a text of 12 px is at most, in px."""
    letters = sum(map(_letter_width, text))
    return letters * _BOLD if bold else letters


def fitted(text: str, room: float) -> str:
    """Return a text, shortened to the room that there is; nothing where that is too little."""
    if text_width(text) <= room:
        return text
    left = room - text_width("…")
    for end, letter in enumerate(text):
        left -= _letter_width(letter)
        if left < 0:
            return f"{text[:end]}…" if end >= _LEAST else ""
    return ""


def _letter_width(letter: str) -> float:
    if letter in _NARROW:
        return 5.0
    if letter in _WIDE or not letter.isascii():
        return 12.0
    return 8.6 if letter.isupper() else 7.7
