"""What a reader finds in a consumer's file: references to images, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lamina.errors import Fault
from lamina.model.image import Kind


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Edit:
    """One span of a file's text, and what takes its place.

    Spans count characters of the text as `lamina.migrate.tree` decodes it: UTF-8, where each byte
    that is none stands as one surrogate, and line ends as they are.
    """

    path: str  # relative to the tree, with `/`
    start: int
    end: int
    old: str
    new: str
    image: str  # what the catalogue calls it
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Kept:
    """A reference that stays as it is, and why."""

    path: str
    line: int
    name: str  # of the image, as it is written
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that was found in one file or in several.

    Edits are in order and do not overlap. What is undecided says its place as `PATH:LINE`.
    """

    edits: tuple[Edit, ...] = ()
    kept: tuple[Kept, ...] = ()
    undecided: tuple[Fault, ...] = ()

    @classmethod
    def together(cls, several: Iterable[Found]) -> Found:
        """Return all that was found, each thing once."""
        edits: set[Edit] = set()
        kept: list[Kept] = []
        undecided: set[Fault] = set()
        for found in several:
            edits.update(found.edits)
            kept.extend(found.kept)
            undecided.update(found.undecided)
        return cls(
            edits=tuple(sorted(edits)),
            kept=tuple(sorted(kept)),
            undecided=tuple(sorted(undecided)),
        )


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with each span replaced; `edits` are those of one file, in order.

    Raises `ValueError` where spans overlap or `text` is not what they were made for.
    """
    pieces = []
    at = 0
    for edit in edits:
        if edit.start < at or text[edit.start : edit.end] != edit.old:
            raise ValueError(f"{edit.path}: '{edit.old}' is not at {edit.start}")
        pieces += [text[at : edit.start], edit.new]
        at = edit.end
    return "".join((*pieces, text[at:]))


def line_of(text: str, offset: int) -> int:
    """Return the number of the line that `offset` is in, the first being 1."""
    return text.count("\n", 0, offset) + 1
