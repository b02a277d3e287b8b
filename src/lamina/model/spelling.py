"""What somebody probably meant to write."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the one of `words` that is spelled most like `word`, or an empty text."""
    # Sorted: of several that are equally near, always the same one is named.
    return next(iter(get_close_matches(word, sorted(set(words)), n=1)), "")


def did_you_mean(word: str, words: Iterable[str], *, otherwise: str = "") -> str:
    """Return the remedy for an unknown `word`: the nearest of `words`, else `otherwise`."""
    meant = nearest(word, words)
    return f"did you mean '{meant}'?" if meant else otherwise
