"""`lamina docs`: pages about the catalogue's images."""

from __future__ import annotations

from pathlib import Path

import click

from lamina.cli.command import Command
from lamina.cli.options import WRONG, json_option, settings_options
from lamina.cli.output import print_json
from lamina.pipeline import docs
from lamina.settings import Settings


@click.command(
    "docs",
    cls=Command,
    help="""Write a page in Markdown for each family of the catalogue, and an index of all images:
what an image is for, its packages by distribution, its user, ports and files, what its tests
prove, where it can be built and why not elsewhere, and its names.

The same catalogue gives the same pages, so they can be kept beside it and compared. Pages of
families that are no more are removed; a file that is no such page is left alone.
""",
    examples={
        "lamina docs --to docs/images": "The pages of the default catalogue.",
        "lamina docs --to docs/images --catalog mine": "With a catalogue of one's own over it.",
    },
    exit_codes={
        0: "the pages are there",
        1: "the folder cannot be written",
        2: f"{WRONG}; or a file is in the way of a page",
    },
)
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder that the pages are written to.",
)
@json_option
@settings_options
def command(settings: Settings, folder: Path, *, as_json: bool) -> int:
    """Write the pages, and tell which of them changed."""
    written = docs.docs(settings, folder)
    told = {
        "written": list(written.written),
        "unchanged": list(written.unchanged),
        "removed": list(written.removed),
    }
    if as_json:
        print_json(told)
    else:
        counts = ", ".join(f"{len(names)} {what}" for what, names in told.items())
        click.echo(f"{folder}: {counts}")
    return 0
