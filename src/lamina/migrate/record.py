"""The record of what was done to a tree: enough to give back the bytes that were there before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lamina.errors import Fault, UsageError
from lamina.migrate.migration import Change
from lamina.migrate.tree import RECORD, encoded
from lamina.model.names import Scheme

FORMAT = 1
_REMEDY = "take the files from where they came from, such as version control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """A span of the changed text, and what stood there before."""

    start: int
    new: str
    old: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A file that was changed, with the sha256 of its bytes before and after."""

    path: str
    before: str
    after: str
    undo: tuple[Undo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was done to a tree: one step for each time that anything changed."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    format: int
    scheme: Scheme  # that references were moved to at last
    steps: tuple[tuple[Changed, ...], ...]


def record_path(root: Path) -> Path:
    """Return where the record of the tree at `root` lies: beside it, and no part of it.

    Raises `UsageError` for the root of all files, which has nothing beside it.
    """
    if not root.name:
        raise UsageError.one(
            "nothing can be kept beside it",
            place=str(root),
            remedy="name the folder that the files are in",
        )
    return root.with_name(root.name + RECORD)


def step_of(changes: Sequence[Change]) -> tuple[Changed, ...]:
    """Return what is to be recorded of `changes`."""
    return tuple(
        Changed(
            path=change.path,
            before=text_digest(change.old),
            after=text_digest(change.new),
            undo=_undo(change),
        )
        for change in changes
    )


def undone(text: str, changed: Changed) -> str:
    """Return the text that was there before; raise `ValueError` if `text` is not its outcome."""
    pieces = []
    at = 0
    for one in changed.undo:
        if one.start < at or not text.startswith(one.new, one.start):
            raise ValueError(f"'{one.new}' is not at {one.start}")
        pieces += [text[at : one.start], one.old]
        at = one.start + len(one.new)
    return "".join((*pieces, text[at:]))


def text_digest(text: str) -> str:
    """Return the sha256 of a file's bytes, from its text."""
    return sha256(encoded(text)).hexdigest()


def print_record(record: Record) -> bytes:
    """Return the record as it is written."""
    plain = TypeAdapter(Record).dump_python(record)
    return (json.dumps(plain, indent=1) + "\n").encode()


def parse_record(content: bytes, place: str) -> Record:
    """Return the record that was written; raise `UsageError` for anything else."""
    try:
        record = TypeAdapter(Record).validate_python(json.loads(content))
    except (ValueError, ValidationError) as error:
        raise UsageError(Fault(place, "not a record of a migration", _REMEDY)) from error
    if record.format != FORMAT:
        raise UsageError(
            Fault(place, f"a record of format {record.format}", "use the lamina that wrote it")
        )
    return record


def _undo(change: Change) -> tuple[Undo, ...]:
    undo = []
    shift = 0
    for edit in change.edits:
        undo.append(Undo(start=edit.start + shift, new=edit.new, old=edit.old))
        shift += len(edit.new) - len(edit.old)
    return tuple(undo)
