"""What a publication tells beside its images: what was due and why, records and notices."""

from __future__ import annotations

from typing import Any

import click

from lamina.cli.output import show_table
from lamina.console import Table, size_text
from lamina.model.amounts import count_text
from lamina.pipeline import beside, publish
from lamina.upkeep.cost import DailyCost
from lamina.upkeep.due import UNCHANGED


def beside_values(published: publish.Published) -> dict[str, Any]:
    """Return what records, notices and ledger add to the form that scripts rely on."""
    beside = published.beside
    if beside is None:
        return {}
    traffic = beside.traffic
    return {
        "beside": {
            "records": beside.records,
            "notices": beside.notices,
            "bytes": traffic.blob_bytes + traffic.manifest_bytes,
            "requests": traffic.requests,
        }
    }


def due_values(published: publish.Published) -> dict[str, Any]:
    """Return what --due adds to the form that scripts rely on."""
    due = published.due
    if due is None:
        return {}
    cost = due.cost
    return {
        "due": {
            "images": [
                {"image": str(image), "due": turn.due, "reason": turn.reason}
                for image, turn in due.turns.items()
            ],
            "daily_cost": {"day": cost.day, "days": cost.days, "total": cost.total},
        }
    }


def show_due(due: publish.Due) -> None:
    """Print whose turn it is, and why; not what has not changed."""
    told = [(image, turn) for image, turn in due.turns.items() if turn.reason != UNCHANGED]
    if told:
        rows = tuple(
            (str(image), "due" if turn.due else "waits", turn.reason) for image, turn in told
        )
        show_table(Table(columns=("image", "turn", "why"), rows=rows))
    turns = due.turns.values()
    click.echo(
        f"{sum(turn.due for turn in turns)} due, {len(turns) - len(told)} unchanged, "
        f"{sum(not turn.due for turn in turns) - len(turns) + len(told)} waiting"
    )


def show_cost(published: publish.Published, cost: DailyCost, *, dry_run: bool) -> None:
    """Print what another way of publishing would have cost, and what this one has."""
    size = published.plan.blob_bytes if dry_run else published.traffic.blob_bytes
    click.echo(
        f"every image every day under both types: {size_text(cost.day)} a day, "
        f"{size_text(cost.total)} in {count_text(cost.days, 'day')}; "
        f"{'it would be' if dry_run else 'it was'} {size_text(size)}"
    )


def show_beside(beside: beside.Beside) -> None:
    """Print what was put beside the images, if anything was."""
    if beside.records or beside.notices:
        size = beside.traffic.blob_bytes + beside.traffic.manifest_bytes
        click.echo(
            f"beside the images: {count_text(beside.records, 'record')} for caches, "
            f"{count_text(beside.notices, 'notice')} of old names, {size_text(size)}"
        )
