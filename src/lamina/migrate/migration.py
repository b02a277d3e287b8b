"""What moving a tree to the fleet's names comes to: every edit, decided before any is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from itertools import groupby

from lamina.errors import Fault
from lamina.migrate.containers import Restart, restarts
from lamina.migrate.edit import Edit, Found, Kept, apply_edits
from lamina.migrate.names import Names
from lamina.migrate.readers import read
from lamina.migrate.tree import Tree
from lamina.migrate.tripleo.services import restarted_services
from lamina.migrate.tripleo.template import is_template
from lamina.model.image import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file that changes: its text before and after."""

    path: str
    old: str
    new: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Move:
    """A name that is replaced, and where; several names may become one."""

    old: str
    new: str
    image: str
    kind: Kind
    reason: str
    places: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What is to be done to a tree, and what nobody could decide."""

    changes: tuple[Change, ...]
    kept: tuple[Kept, ...]
    undecided: tuple[Fault, ...]
    restarts: tuple[Restart, ...]

    @property
    def moves(self) -> tuple[Move, ...]:
        """The old and new names, each pair once."""
        # What is only added stands for no name.
        edits = [edit for change in self.changes for edit in change.edits if edit.old]
        edits.sort(key=_as_move)
        return tuple(
            Move(old=old, new=new, image=image, kind=kind, reason=reason, places=len(list(group)))
            for (image, old, new, kind, reason), group in groupby(edits, _as_move)
        )


def make_migration(tree: Tree, names: Names) -> Migration:
    """Return what moving `tree` to `names` comes to; nothing is written."""
    found = {file.path: read(file.path, file.text, names) for file in tree.files}
    changes = tuple(
        Change(
            path=file.path,
            old=file.text,
            new=apply_edits(file.text, found[file.path].edits),
            edits=found[file.path].edits,
        )
        for file in tree.files
        if found[file.path].edits
    )
    all_found = Found.together(found.values())
    return Migration(
        changes=changes,
        kept=all_found.kept,
        undecided=(*tree.unread, *all_found.undecided),
        restarts=_restarts(
            {file.path: file.text for file in tree.files},
            {change.path: change.new for change in changes},
        ),
    )


def print_diff(changes: Iterable[Change]) -> str:
    """Return a unified diff of `changes`, as patch(1) reads it."""
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for change in changes
        for line in unified_diff(
            _lines(change.old), _lines(change.new), f"a/{change.path}", f"b/{change.path}"
        )
    )


def count_kept(kept: Iterable[Kept]) -> Mapping[str, int]:
    """Return how many references stay as they are, by reason."""
    reasons = sorted(one.reason for one in kept)
    return {reason: len(list(group)) for reason, group in groupby(reasons)}


def _restarts(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Restart, ...]:
    """Return what a deployment recreates: containers that files describe, services of TripleO."""
    services = {
        Restart(container=service, path=path, line=line)
        for path, text in after.items()
        if is_template(path, text)
        for service, line in restarted_services(before[path], text)
    }
    return (*restarts(before, after), *sorted(services))


def _lines(text: str) -> list[str]:
    """Split at newlines only: patch(1) knows no other ends of lines."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return [line for line in lines if line]


def _as_move(edit: Edit) -> tuple[str, str, str, Kind, str]:
    return edit.image, edit.old, edit.new, edit.kind, edit.reason
