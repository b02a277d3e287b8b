"""The folder that pages are written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lamina.docs.pages import MARK
from lamina.errors import Fault, UsageError
from lamina.oci.disk import disk_faults

# What pages of every version begin with.
_OURS = MARK.partition(" from ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of the pages of a folder, by file name."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]  # of families that are no more


def write_pages(pages: Mapping[str, str], folder: Path) -> Written:
    """Write `pages` into `folder`, and remove earlier ones that are not among them.

    Raises `UsageError` for every file that is in the way of a page and is none itself, before
    anything is written, and `StoreError` where the disk refuses.
    """
    with disk_faults(folder, "folder"):
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name: path.read_bytes() for path in folder.glob("*.md") if path.is_file()}
        ours = {name for name, content in there.items() if content.startswith(_OURS.encode())}
        UsageError.raise_all(
            [
                Fault(str(folder / name), "not written by `lamina docs`", _REMEDY)
                for name in pages.keys() & there.keys() - ours
            ]
        )
        changed = [name for name, text in pages.items() if there.get(name) != text.encode()]
        for name in changed:
            (folder / name).write_text(pages[name], encoding="utf-8")
        gone = sorted(ours - pages.keys())
        for name in gone:
            (folder / name).unlink()
    return Written(
        written=tuple(changed),
        unchanged=tuple(name for name in pages if name not in changed),
        removed=tuple(gone),
    )


_REMEDY = "give a folder of the pages' own, or move the file elsewhere"
