"""`lamina diff`: what changed between two states of an image."""

from __future__ import annotations

import click

from lamina.cli.command import Command
from lamina.cli.diff_text import show_diff
from lamina.cli.diff_values import diff_values
from lamina.cli.options import WRONG, image_argument, json_option, settings_options
from lamina.cli.output import print_json, progress
from lamina.pipeline import diff
from lamina.settings import Settings

_DIFFERS = 1


@click.command(
    "diff",
    cls=Command,
    help="""Show what changed between two states of an image: packages, its ancestors' too, files,
runtime configuration, layers, and how many bytes are to be fetched for the new one where the old
one is.

OLD and NEW are each one of:

\b
  current     the image as it is tagged now; NEW if it is not given
  previous    the image that was tagged before that, as long as `lamina gc` has
              not deleted it; OLD if it is not given
  DIGEST      the digest of a manifest, or its first 8 hex digits or more
  FILE        a lock

A lock tells packages and their grouping into layers only, and more where the store has the image
that was built from it. Two states are compared as far as both tell. Times of files do not count.
""",
    examples={
        "lamina diff keystone": "What the last build changed.",
        "lamina diff keystone current new.lock.json": "What building from a lock would change.",
        "lamina diff keystone sha256:0c3a51d2 --files": "Since an earlier build, with every file.",
        "lamina diff keystone --exit-code": "For a script: did anything change?",
    },
    exit_codes={
        0: "the difference is shown; with --exit-code: there is none",
        1: "the store is damaged; with --exit-code also: there are differences",
        2: f"{WRONG}; or there is no such state of the image",
    },
)
@image_argument
@click.argument("old", metavar="[OLD", default="previous")
@click.argument("new", metavar="[NEW]]", default="current")
@click.option("--files", "all_files", is_flag=True, help="Show every file, not sums of many.")
@click.option("--exit-code", "told", is_flag=True, help="Exit with 1 when there are differences.")
@json_option
@settings_options
def command(
    settings: Settings,
    image: str,
    old: str,
    new: str,
    *,
    all_files: bool,
    told: bool,
    as_json: bool,
) -> int:
    """Show the difference."""
    with progress(quiet=as_json) as listener:
        found = diff.diff(settings, image, old, new, listener=listener)
    if as_json:
        print_json(diff_values(found))
    else:
        show_diff(found, all_files=all_files)
    return _DIFFERS if told and not found.equal else 0
