"""What commands print: JSON and tables on standard output, progress on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from lamina.console import Table, look_of, print_table, show_progress, silence
from lamina.model.event import Event, Listener, Note


def print_json(value: Any) -> None:
    """Print `value` in the form that scripts rely on."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(table: Table) -> None:
    """Print a table as standard output can show it."""
    print_table(table, sys.stdout, look_of(sys.stdout, os.environ))


def note(event: Event) -> None:
    """Show an event on standard error if it is one that a person should know of."""
    if isinstance(event, Note):
        click.echo(event.message, err=True)


def progress(*, quiet: bool) -> AbstractContextManager[Listener]:
    """Return a listener that shows a run's events on standard error, or none of them."""
    if quiet:
        return nullcontext(silence)
    return show_progress(sys.stderr, look_of(sys.stderr, os.environ), time.monotonic)
