"""What a benchmark found: figures beside their goals, and the rows that they come from."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from lamina.console import Table, look_of, print_table

Unit = Literal["ratio", "s", "MB"]
Cell = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number; a figure with a goal should not be above it."""

    name: str
    value: float
    unit: Unit = "ratio"
    goal: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that one benchmark found."""

    benchmark: str
    figures: tuple[Figure, ...]
    rows: tuple[Mapping[str, Cell], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Load:
    """How busy the machine was: one minute's load average before and after, and the cores."""

    before: float
    after: float
    cores: int

    def __str__(self) -> str:
        """Print as a sentence, since figures of a busy machine are worth less."""
        return f"load {self.before:.1f} before, {self.after:.1f} after, on {self.cores} cores"


@contextmanager
def watched_load() -> Iterator[Load]:
    """Give the load, whose second number is right after the block."""
    load = Load(os.getloadavg()[0], 0.0, len(os.sched_getaffinity(0)))
    yield load
    load.after = os.getloadavg()[0]


def show(report: Report, load: Load, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        print(json.dumps({**asdict(report), "load": asdict(load)}, indent=2))
        return
    look = look_of(sys.stdout, os.environ)
    if report.rows:
        print_table(_rows(report.rows), sys.stdout, look)
        print()
    print_table(_figures(report.figures), sys.stdout, look)
    for note in (*report.notes, str(load)):
        print(f"# {note}")


def say(message: str) -> None:
    """Tell on standard error what is going on."""
    print(message, file=sys.stderr, flush=True)


def _rows(rows: tuple[Mapping[str, Cell], ...]) -> Table:
    numbers = [name for name, cell in rows[0].items() if not isinstance(cell, str)]
    return Table(
        columns=tuple(rows[0]),
        rows=tuple(tuple(_text(cell) for cell in row.values()) for row in rows),
        numbers=frozenset(numbers),
    )


def _figures(figures: tuple[Figure, ...]) -> Table:
    return Table(
        columns=("figure", "goal", "measured", "unit"),
        rows=tuple(
            (
                figure.name,
                "" if figure.goal is None else f"<= {_text(figure.goal)}",
                _text(figure.value),
                figure.unit,
            )
            for figure in figures
        ),
        numbers=frozenset({"goal", "measured"}),
    )


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:.0f}" if abs(cell) >= 100 or cell == int(cell) else f"{cell:.3g}"
