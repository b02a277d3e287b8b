"""How a migration is told: a diff, the names, the containers, and what is left to a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lamina.cli.output import show_table
from lamina.cli.printable import printable
from lamina.console import Table
from lamina.errors import Fault
from lamina.migrate.check import Checked
from lamina.migrate.edit import line_of
from lamina.migrate.migration import Migration, count_kept, print_diff
from lamina.migrate.tree import encoded
from lamina.model.amounts import count_text


def show_migration(migration: Migration, *, diff: bool) -> None:
    """Show what is done to a tree, or is to be."""
    if diff and migration.changes:
        click.echo(_shown(print_diff(migration.changes)))
    if migration.moves:
        show_table(
            Table(
                columns=("old", "new", "kind", "places", "why"),
                rows=tuple(
                    (_line(move.old), _line(move.new), move.kind, str(move.places), move.reason)
                    for move in migration.moves
                ),
                numbers=frozenset({"places"}),
            )
        )
    if migration.restarts:
        names = sorted({_line(one.container) for one in migration.restarts})
        click.echo(f"\na deployment recreates {len(names)} containers: {', '.join(names)}")
    for reason, count in count_kept(migration.kept).items():
        click.echo(f"{count} {'reference stays' if count == 1 else 'references stay'}: {reason}")
    show_faults(migration.undecided, "could not be decided")


def show_faults(faults: Sequence[Fault], what: str) -> None:
    """Show what is left to a person, on standard error."""
    for fault in faults:
        place, message, remedy = _line(fault.place), _line(fault.message), _line(fault.remedy)
        click.echo(str(Fault(place, message, remedy)), err=True)
    if faults:
        click.echo(f"{len(faults)} {'place' if len(faults) == 1 else 'places'} {what}", err=True)


def show_checked(checked: Checked, tree: Path) -> None:
    """Show what was proved, and what was not."""
    for reference in checked.references:
        click.echo(_line(reference))
    show_faults(checked.faults, "could not be proved")
    click.echo(
        f"{tree}: {checked.values} values differ in references to moved images only, "
        f"in {checked.renderings} renderings; "
        f"the deployment asks for {len(checked.references)} new references"
    )


def checked_values(checked: Checked) -> dict[str, Any]:
    """Return what was proved as scripts get it."""
    return {
        "values": checked.values,
        "renderings": checked.renderings,
        "references": [_readable(one) for one in checked.references],
        "faults": fault_values(checked.faults),
    }


def changed_text(migration: Migration) -> str:
    """Return how much changes, in words."""
    edits = sum(move.places for move in migration.moves)
    return f"{count_text(edits, 'reference')} in {count_text(len(migration.changes), 'file')}"


def migration_values(migration: Migration) -> dict[str, Any]:
    """Return the migration as scripts get it."""
    return {
        "changes": [
            {
                "path": _readable(change.path),
                "edits": [
                    {
                        "line": line_of(change.old, edit.start),
                        "old": _readable(edit.old),
                        "new": _readable(edit.new),
                        "image": edit.image,
                        "kind": edit.kind,
                        "reason": edit.reason,
                    }
                    for edit in change.edits
                ],
            }
            for change in migration.changes
        ],
        "restarts": [
            {"container": _readable(one.container), "path": _readable(one.path), "line": one.line}
            for one in migration.restarts
        ],
        "kept": [
            {"path": _readable(one.path), "line": one.line, "name": one.name, "reason": one.reason}
            for one in migration.kept
        ],
        "undecided": fault_values(migration.undecided),
        "diff": _readable(print_diff(migration.changes)),
    }


def fault_values(faults: Sequence[Fault]) -> list[dict[str, str]]:
    """Return faults as scripts get them."""
    return [
        {
            "place": _readable(fault.place),
            "message": _readable(fault.message),
            "remedy": _readable(fault.remedy),
        }
        for fault in faults
    ]


def _readable(text: str) -> str:
    """Return text of any file without the bytes that are no UTF-8."""
    return encoded(text).decode(errors="replace")


def _line(text: str) -> str:
    return printable(_readable(text))


def _shown(text: str) -> str:
    """Return a diff as a terminal may show it; tabs stay."""
    lines = _readable(text).split("\n")
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in lines)
