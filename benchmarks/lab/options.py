"""The options that every benchmark has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from benchmarks.lab.report import Report, show, watched_load
from lamina.errors import LaminaError

FOLDER = Path("build/benchmarks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    folder: Path  # where the benchmarks' own store and lock are
    terms: tuple[str, ...]  # which images or packages; none means all
    repeat: int


def benchmark(name: str, *, repeat: int, select: str) -> Callable[..., click.Command]:
    """Make a command of a function from options to a report.

    `repeat` is how often it measures by default, `select` what its arguments choose.
    """

    def command(function: Callable[[Options], Report]) -> click.Command:
        @wraps(function)
        def run(*, folder: Path, terms: tuple[str, ...], repeat: int, as_json: bool) -> None:
            try:
                with watched_load() as load:
                    report = function(Options(folder=folder, terms=terms, repeat=repeat))
            except LaminaError as error:
                raise click.ClickException(str(error)) from error
            show(report, load, as_json=as_json)

        parameters: tuple[Callable[..., Any], ...] = (
            click.argument("terms", metavar=f"[{select}]...", nargs=-1),
            click.option(
                "--folder",
                type=click.Path(path_type=Path, file_okay=False),
                default=FOLDER,
                show_default=True,
                help="Where the benchmarks' own store and lock are; made and filled if missing.",
            ),
            click.option(
                "--repeat",
                type=click.IntRange(min=1),
                default=repeat,
                show_default=True,
                help="How often to measure.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        )
        decorated: Callable[..., Any] = run
        for parameter in reversed(parameters):
            decorated = parameter(decorated)
        return click.command(name)(decorated)

    return command
