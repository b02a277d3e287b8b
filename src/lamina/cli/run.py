"""`lamina run`: a command in an image."""

from __future__ import annotations

import click

from lamina.cli.command import Command
from lamina.cli.options import WRONG, image_argument, settings_options
from lamina.cli.output import note
from lamina.errors import UsageError
from lamina.pipeline import uses
from lamina.settings import Settings


@click.command(
    "run",
    cls=Command,
    help="""Run a command in a built image: in the sandbox, without network, as the image's own
user and with its environment. What the command writes is thrown away.
""",
    examples={
        "lamina run mariadb-server -- mariadbd --version": "The version that is in the image.",
        "lamina run redis -- sh -c 'id; env'": "As whom, and with what environment, it runs.",
    },
    exit_codes={0: "the command ended with 0; any other code is the command's own", 2: WRONG},
)
@image_argument
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@settings_options
def command(settings: Settings, image: str, words: tuple[str, ...]) -> int:
    """Run the command, and end as it ended."""
    if not words:
        raise UsageError.one(
            "no command to run",
            place="lamina run",
            remedy=f"put it behind two dashes: `lamina run {image} -- COMMAND`",
        )
    return uses.run(settings, image, words, listener=note)
