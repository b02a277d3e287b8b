"""`lamina storage`: what images weigh and share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    json_option,
    selection_options,
    settings_options,
)
from lamina.cli.output import print_json
from lamina.cli.storage_text import By, show_report, show_update
from lamina.cli.storage_values import report_values, update_values
from lamina.errors import UsageError
from lamina.model.selection import Selection
from lamina.oci.disk import disk_faults
from lamina.pipeline import fleet, storage
from lamina.settings import Settings
from lamina.storage import Limits, exceeded, parse_size

F = TypeVar("F", bound=Callable[..., Any])
_EXCEEDED = 1
_FILE = click.Path(path_type=Path, dir_okay=False)


def _limit_options(function: F) -> F:
    """Give a command `--max-total` and `--max-image`, as texts."""
    for name, what in (
        ("--max-image", "any image's layers"),
        ("--max-total", "the fleet's different layers"),
    ):
        function = click.option(
            name,
            metavar="SIZE",
            help=f"Exit with 1 when {what} take more than this, compressed: 500MB, 2GiB.",
        )(function)
    return function


@click.command(
    "storage",
    cls=Command,
    help=f"""Report what the built images weigh: each with everything it has (apparent), with what
only it has (exclusive), and with its part of what it shares (amortised); and what the same
packages would weigh if they were arranged in other layers.

The fleet's unique bytes are every layer once; its lower bound is every package once and every
image's own changes once. Sizes are of tar, uncompressed, and of blobs, compressed, as a registry
stores and a node fetches them. What a node holds that has pulled all images is told beside that.

{SELECTION_HELP}
""",
    examples={
        "lamina storage": "The whole fleet.",
        "lamina storage kind:infra": "Only the infra images, as if there were no others.",
        "lamina storage --by package --json": "Every package, largest first, in bytes.",
        "lamina storage --by delta": "What the images' own builds left, largest first.",
        "lamina storage --since old.lock.json": "What the update from an older lock costs.",
        "lamina storage --max-image 500MB": "For a pipeline: is an image too large?",
        "lamina storage --html storage.html": "A page for a browser, complete in one file.",
    },
    exit_codes={
        0: "the report is printed",
        1: "the store is damaged; with --max-total or --max-image also: a limit is exceeded",
        2: WRONG,
    },
)
@selection_options
@click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    default=By.IMAGE.value,
    show_default=True,
    help="What each line is about.",
)
@click.option(
    "--since",
    metavar="FILE",
    type=_FILE,
    help="Report what the update from this older lock file to the present one costs instead.",
)
@_limit_options
@click.option("--html", metavar="FILE", type=_FILE, help="Write the report as a page, too.")
@json_option
@settings_options
def command(
    settings: Settings,
    selection: Selection,
    *,
    by: str,
    since: Path | None,
    max_total: str | None,
    max_image: str | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Show the report."""
    limits = Limits(total=_bytes(max_total), image=_bytes(max_image))
    if since:
        if html or limits != Limits() or By(by) is not By.IMAGE:
            raise UsageError.one(
                "--since goes with --json and a selection only",
                place="lamina storage",
                remedy="give the other options in a call of their own",
            )
        return _update(settings, selection, since, as_json=as_json)
    catalog = fleet.load(settings)
    report = storage.storage(settings, catalog, fleet.choose(settings, catalog, selection))
    if html:
        with disk_faults(html, "folder"):
            html.write_text(storage.storage_page(settings, report), encoding="utf-8")
    faults = exceeded(report, limits)
    if as_json:
        print_json(report_values(report, By(by), faults))
    else:
        show_report(report, By(by))
    for fault in faults:
        click.echo(str(fault), err=True)
    return _EXCEEDED if faults else 0


def _bytes(text: str | None) -> int | None:
    return None if text is None else parse_size(text)


def _update(settings: Settings, selection: Selection, since: Path, *, as_json: bool) -> int:
    catalog = fleet.load(settings)
    chosen = fleet.choose(settings, catalog, selection)
    update = storage.storage_update(settings, catalog, chosen, since)
    if as_json:
        print_json(update_values(update))
    else:
        show_update(update)
    return 0
