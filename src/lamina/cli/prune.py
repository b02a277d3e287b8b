"""`lamina prune`: delete what a registry keeps of the past, as far as nothing needs it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

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
from lamina.model.amounts import count_text
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.model.selection import Selection
from lamina.pipeline import fleet, retention
from lamina.settings import Settings
from lamina.upkeep.removal import Removal, Retention


@click.command(
    "prune",
    cls=Command,
    help=f"""List what a registry keeps of former images, and delete it with --remove.

Beside the tags that move, every image has a tag of its content that never does. Those of former
images are kept by count and by age: what one of the two keeps, stays. So does what another tag
means or an index names, what the store has of the lock, and every digest in a file of --pinned.
How old an image is, is known of those that `lamina publish --due` has sent; all others stay.

{SELECTION_HELP}
""",
    examples={
        "lamina prune --in registry.example.org/fleet": "What could be deleted.",
        "lamina prune --in registry.example.org/fleet --keep 3 --days 30 --remove": "Delete all "
        "but the last three of each image, and what is younger than 30 days.",
        "lamina prune --in registry.example.org/fleet --pinned digests.yaml": "Also keep what a "
        "deployment uses.",
    },
    exit_codes={
        0: "it is listed, or deleted",
        2: WRONG,
        4: "the registry could not be used, or does not delete",
    },
)
@selection_options
@namespace_option("--in", "The namespace to ask.", required=True)
@schemes_option(Scheme.SPLIT, Scheme.LEGACY)
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many images each repository keeps, the present one among them.",
)
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(min=0),
    default=90,
    show_default=True,
    help="For how many days an image is kept in any case.",
)
@click.option(
    "--pinned",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file with digests that are in use, as `publish --digests` writes it.",
)
@click.option("--remove", is_flag=True, help="Delete it, which cannot be undone.")
@ca_option
@json_option
@settings_options
def command(
    settings: Settings,
    selection: Selection,
    *,
    namespace: Namespace,
    schemes: tuple[Scheme, ...],
    keep: int,
    days: int,
    pinned: tuple[Path, ...],
    remove: bool,
    as_json: bool,
) -> int:
    """List what could be deleted, and delete it if that is asked for."""
    catalog = fleet.load(settings)
    past = retention.Past(
        namespace=namespace,
        schemes=schemes,
        retention=Retention(count=keep, days=days),
        pinned=pinned,
    )
    removals = retention.plan_pruning(
        settings,
        catalog,
        fleet.choose(settings, catalog, selection),
        past,
        settings.access,
        now=datetime.now(UTC),
    )
    if remove:
        retention.prune(removals, past.namespace, settings.access)
    if as_json:
        print_json({"removals": [removal.to_json() for removal in removals], "removed": remove})
    else:
        _show(removals, removed=remove)
    return 0


def _show(removals: Sequence[Removal], *, removed: bool) -> None:
    rows = tuple((removal.repository, tag) for removal in removals for tag in removal.tags)
    if rows:
        show_table(Table(columns=("repository", "tag"), rows=rows))
    number = sum(len(removal.digests) for removal in removals)
    click.echo(f"{count_text(number, 'manifest')} {'deleted' if removed else 'to delete'}")
    if rows and not removed:
        click.echo("nothing was deleted: add --remove for that")
