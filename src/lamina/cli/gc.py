"""`lamina gc`: delete what no lock and no tag needs."""

from __future__ import annotations

import click

from lamina.cli.command import Command
from lamina.cli.options import WRONG, json_option, settings_options
from lamina.cli.output import print_json, progress
from lamina.console import size_text
from lamina.pipeline import fleet
from lamina.settings import Settings


@click.command(
    "gc",
    cls=Command,
    help="""Delete from the store what no lock and no tag needs: packages and units of older
versions, layers of older builds. What is current stays, and need not be built again.
""",
    examples={
        "lamina gc --dry-run": "What would be deleted.",
        "lamina gc": "Delete it.",
    },
    exit_codes={
        0: "what is not needed is gone",
        1: "the store is damaged, or cannot be written",
        2: WRONG,
    },
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@json_option
@settings_options
def command(settings: Settings, *, dry_run: bool, as_json: bool) -> int:
    """Delete, and tell what."""
    with progress(quiet=as_json) as listener:
        sweep = (
            fleet.garbage(settings)
            if dry_run
            else fleet.collect_garbage(settings, listener=listener)
        )
    if as_json:
        print_json(
            {
                "removed": [
                    {"what": removal.folder, "digest": str(removal.digest), "size": removal.size}
                    for removal in sweep.removals
                ],
                "size": sweep.size,
                "kept": sweep.kept,
                "kept_size": sweep.kept_size,
                "dry_run": dry_run,
            }
        )
        return 0
    for removal in sweep.removals:
        click.echo(f"{removal.folder} {removal.digest.short} {size_text(removal.size)}")
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(
        f"{len(sweep.removals)} things of {size_text(sweep.size)} {verb}, "
        f"{sweep.kept} of {size_text(sweep.kept_size)} kept"
    )
    return 0
