"""`lamina names`: the names that images had before, and what follows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    ca_option,
    json_option,
    namespace_option,
    schemes_option,
    selection_options,
    settings_options,
)
from lamina.cli.output import print_json, show_table
from lamina.console import Table
from lamina.errors import UsageError
from lamina.model.amounts import count_text
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.model.selection import Selection
from lamina.pipeline import fleet, successors
from lamina.pipeline.successors import Told
from lamina.settings import Settings
from lamina.upkeep.removal import Removal
from lamina.upkeep.successors import OldName


@click.command(
    "names",
    cls=Command,
    help=f"""List the names that images had before, and the names that follow them.

Without --in, what the catalogue says of it is listed; needs no network. With --in, a namespace
of a registry is asked: which of these names it has, and until when they are kept. That is what
`lamina publish --until` told; a name of which nothing was told has no end.

With --expired, only names past their day are listed, and what of them could be deleted; --remove
deletes that. A digest that another tag, an index or the lock needs is never deleted.

{SELECTION_HELP}
""",
    examples={
        "lamina names": "Every old name, and what follows it.",
        "lamina names 'mariadb*' --in registry.example.org/fleet": "Those of some images that "
        "a registry has, each with its last day.",
        "lamina names --in registry.example.org/fleet --expired": "What could be deleted.",
        "lamina names --in registry.example.org/fleet --expired --remove": "Delete it.",
    },
    exit_codes={
        0: "the names are listed, or removed",
        2: WRONG,
        4: "the registry could not be used",
    },
)
@selection_options
@schemes_option(Scheme.SPLIT, Scheme.LEGACY)
@click.option("--tag", default="latest", show_default=True, help="The tag of the names.")
@namespace_option("--in", "The namespace to ask.", required=False)
@click.option("--expired", is_flag=True, help="Only names past their last day.")
@click.option("--remove", is_flag=True, help="Delete these, which cannot be undone.")
@ca_option
@json_option
@settings_options
def command(
    settings: Settings,
    selection: Selection,
    *,
    schemes: tuple[Scheme, ...],
    tag: str,
    namespace: Namespace | None,
    expired: bool,
    remove: bool,
    as_json: bool,
) -> int:
    """List the names, and remove expired ones if that is asked for."""
    if remove and not expired:
        raise UsageError.one(
            "--remove stands without --expired",
            remedy="look at what `lamina names --in ... --expired` lists first",
        )
    if expired and not namespace:
        raise UsageError.one(
            "--expired stands without --in", remedy="name the registry's namespace"
        )
    catalog = fleet.load(settings)
    chosen = fleet.choose(settings, catalog, selection)
    names = successors.names_of(catalog, chosen, schemes, tag=tag)
    if not namespace:
        _show_names(names, as_json=as_json)
        return 0
    access = settings.access
    today = datetime.now(UTC).date()
    told = successors.ask_names(names, namespace, access, today=today)
    if not expired:
        _show_told(told, as_json=as_json)
        return 0
    removals = successors.plan_removal(settings, told, namespace, access)
    if remove:
        successors.remove(removals, namespace, access)
    _show_removals(told, removals, removed=remove, as_json=as_json)
    return 0


def _show_names(names: Sequence[OldName], *, as_json: bool) -> None:
    if as_json:
        print_json({"names": [_name_values(name) for name in names]})
        return
    rows = tuple((name.name, name.successor) for name in names)
    _table(("old name", "followed by"), rows)
    click.echo(count_text(len(names), "old name"))


def _show_told(told: Sequence[Told], *, as_json: bool) -> None:
    if as_json:
        print_json({"names": [_told_values(one) for one in told]})
        return
    there = [one for one in told if one.state != "not published"]
    rows = tuple((one.name.name, one.name.successor, _until(one), one.state) for one in there)
    _table(("old name", "followed by", "until", "state"), rows)
    expired = sum(one.state == "expired" for one in there)
    click.echo(f"{count_text(len(there), 'old name')} published, {expired} expired")


def _show_removals(
    told: Sequence[Told], removals: Sequence[Removal], *, removed: bool, as_json: bool
) -> None:
    expired = [one for one in told if one.state == "expired"]
    if as_json:
        print_json(
            {
                "names": [_told_values(one) for one in expired],
                "removals": [removal.to_json() for removal in removals],
                "removed": removed,
            }
        )
        return
    pairs = list(zip(expired, removals, strict=True))
    rows = tuple(
        (one.name.name, one.name.successor, _until(one), _fate(one, removal, removed=removed))
        for one, removal in pairs
    )
    _table(("old name", "followed by", "until", "what of it"), rows)
    gone = sum(one.name.tag in removal.tags for one, removal in pairs)
    click.echo(f"{count_text(gone, 'old name')} {'removed' if removed else 'to remove'}")
    if gone and not removed:
        click.echo("nothing was deleted: add --remove for that")


def _fate(told: Told, removal: Removal, *, removed: bool) -> str:
    if reason := removal.kept.get(told.name.tag):
        return f"stays: {reason}"
    return "removed" if removed else "to remove"


def _table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
    if rows:
        show_table(Table(columns=columns, rows=rows))


def _until(told: Told) -> str:
    return told.until.isoformat() if told.until else ""


def _name_values(name: OldName) -> dict[str, Any]:
    return {"name": name.name, "successor": name.successor, "image": str(name.image)}


def _told_values(told: Told) -> dict[str, Any]:
    return {
        **_name_values(told.name),
        "state": told.state,
        "until": told.until.isoformat() if told.until else None,
        "manifest": str(told.digest) if told.digest else None,
    }
