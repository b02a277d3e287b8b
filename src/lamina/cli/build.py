"""`lamina build`: build what has changed."""

from __future__ import annotations

from dataclasses import replace

import click

from lamina.cli.command import Command, typed
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    jobs_option,
    json_option,
    selection_options,
    settings_options,
)
from lamina.cli.outcomes import exit_code, result_values, show_result
from lamina.cli.output import print_json, progress
from lamina.model.selection import Selection
from lamina.pipeline import builds
from lamina.settings import Settings


@click.command(
    "build",
    cls=Command,
    help=f"""Build what has changed, parents before children, and run the tests of what is built.

Without a lock file, one is made first. A failed image blocks only its descendants: the run goes
on, and the same command takes it up again, for what is built stays built.
What a cache of lamina.toml has is pulled from there instead.

{SELECTION_HELP} Ancestors come by themselves.
""",
    examples={
        "lamina build": "The whole fleet.",
        "lamina build --kind infra": "Every infra image.",
        "lamina build mariadb-server 'redis*'": "Some images, and what they stand on.",
        "lamina build ovn-base+ --jobs 4": "An image with its descendants, four at a time.",
        "lamina build --no-cache": "Everything here, whatever the caches have.",
        "lamina build --json > result.json": "In silence, with the outcome as JSON.",
    },
    exit_codes={
        0: "everything is built",
        1: "an image failed, or one that was named cannot be built here",
        2: f"{WRONG}; or the lock was not made from this catalogue",
        3: "an image's test failed",
        4: "a mirror could not be used",
        130: "interrupted; what was finished stays",
    },
)
@selection_options
@jobs_option
@click.option("--no-test", is_flag=True, help="Do not run the tests of the images that are built.")
@click.option(
    "--verify", is_flag=True, help="First read all that is built, and build anew what is damaged."
)
@click.option("--no-cache", is_flag=True, help="Ask no cache of lamina.toml.")
@json_option
@settings_options
def command(
    settings: Settings,
    selection: Selection,
    *,
    no_test: bool,
    verify: bool,
    no_cache: bool,
    as_json: bool,
) -> int:
    """Build, and tell what came of it."""
    if no_cache:
        settings = replace(settings, caches=())
    with progress(quiet=as_json) as listener:
        result = builds.build(
            settings, selection, listener=listener, test=not no_test, verify=verify
        )
    if as_json:
        print_json(result_values(result))
    else:
        show_result(result, again=typed())
    return exit_code(result)
