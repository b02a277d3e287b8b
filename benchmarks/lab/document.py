"""Documents with places for what is measured, marked at their beginnings and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


def require_places(document: Path, names: Iterable[str]) -> None:
    """End the program if `document` lacks a place, before anything is measured for it."""
    text = document.read_text()
    for name in names:
        _around(text, name, document)


def fill(document: Path, parts: Mapping[str, str]) -> None:
    """Write each part into the place in `document` that has its name."""
    text = document.read_text()
    for name, part in parts.items():
        before, after = _around(text, name, document)
        text = f"{before}\n{part}\n{after}"
    document.write_text(text)


def _around(text: str, name: str, document: Path) -> tuple[str, str]:
    """Return the texts before and after a place, its marks included."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(f"\n{end}")
    if not found or not closed:
        raise SystemExit(f"{document}: no place between {begin} and {end}")
    return f"{before}{begin}", f"{end}{after}"
