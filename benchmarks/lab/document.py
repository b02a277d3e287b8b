"""Documents with places for what is measured, marked at their beginnings and ends."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def fill(document: Path, parts: Mapping[str, str]) -> None:
    """Write each part into its place in `document`."""
    text = document.read_text()
    for name, part in parts.items():
        text = filled(text, name, part, document)
    document.write_text(text)


def filled(text: str, name: str, part: str, document: Path) -> str:
    """Return `text` with the part in place of what stands between its marks."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(f"{begin}\n")
    _, closed, after = rest.partition(f"\n{end}")
    if not found or not closed:
        raise SystemExit(f"{document}: nothing can be written between {begin} and {end}")
    return f"{before}{found}{part}{closed}{after}"
