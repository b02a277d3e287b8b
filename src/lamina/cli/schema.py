"""`lamina schema`: the JSON Schema of catalogue files, for editors."""

from __future__ import annotations

import click

from lamina.catalog import json_schema
from lamina.cli.command import Command
from lamina.cli.output import print_json


@click.command(
    "schema",
    cls=Command,
    help="""Print the JSON Schema of the files that images are written in. An editor that knows it
completes keys, shows what they mean, and marks what is wrong.
""",
    examples={
        "lamina schema > lamina.schema.json": "A file that an editor's settings can name.",
    },
    exit_codes={0: "the schema is printed", 2: "wrong usage"},
)
def command() -> int:
    """Print the schema."""
    print_json(json_schema())
    return 0
