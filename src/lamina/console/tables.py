"""Tables: aligned text in a pipe, headings and folded cells on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from lamina.console.look import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows below column headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()  # columns that are aligned to the right


def print_table(table: Table, out: TextIO, look: Look) -> None:
    """Print the table to `out`; in a pipe every row is one line, whatever its length."""
    if not look.terminal:
        out.writelines(f"{line}\n" for line in _plain_lines(table))
        return
    # Loaded for a terminal only: without rich a command starts a tenth of a second sooner.
    import rich.box
    import rich.console
    import rich.table
    from rich.text import Text

    shown = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in table.columns:
        right = column in table.numbers
        shown.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    rich.console.Console(file=out, no_color=not look.color, highlight=False).print(shown)


def _plain_lines(table: Table) -> list[str]:
    rows = [tuple(column.upper() for column in table.columns), *table.rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(table.columns))]
    right = [column in table.numbers for column in table.columns]
    return [_line(row, widths, right) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = (
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(row, widths, right, strict=True)
    )
    return "  ".join(cells).rstrip()
