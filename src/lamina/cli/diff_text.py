"""The difference of two states of an image as people read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import click

from lamina.cli.output import show_table
from lamina.cli.printable import path_text, printable
from lamina.console import Table, size_text
from lamina.diff import (
    FileChange,
    Group,
    ImageDiff,
    Label,
    Package,
    PackageChange,
    SettingChange,
    Transfer,
    Turnover,
    by_folder,
)
from lamina.model.built import Layer

_ROWS = 20  # of files, and of the directories in which there are more
_NAMED = 3  # units of a layer
_NOTHING = "-"


def show_diff(diff: ImageDiff, *, all_files: bool) -> None:
    """Print the difference: a table and a line of sums for each part that has one."""
    click.echo(f"{diff.image}: {_label(diff.old)} -> {_label(diff.new)}")
    if diff.equal:
        click.echo("no differences")
    if diff.packages:
        _show_packages(diff.packages)
    if diff.groups and not diff.groups.nothing:
        _show_groups(diff.groups)
    if diff.content:
        if diff.content.files:
            _show_files(diff.content.files, all_files=all_files)
        if diff.content.runtime:
            _show_runtime(diff.content.runtime)
        if not diff.equal:
            _show_layers(diff.content.layers, diff.content.transfer)
    else:
        click.echo(_not_compared(diff))


def _label(label: Label) -> str:
    return f"{label.name} ({label.manifest.short})" if label.manifest else label.name


def _not_compared(diff: ImageDiff) -> str:
    sides = {side.name: None for side in (diff.old, diff.new) if side.manifest is None}
    return (
        "files, layers and runtime configuration are not compared: the store has no image that "
        f"was built from this catalogue and {' or '.join(sides)}"
    )


def _show_packages(changes: Sequence[PackageChange]) -> None:
    _show(
        ("package", "change", "old", "new", "size", "from"),
        [
            (
                change.name,
                change.move,
                change.old.unit.version if change.old else _NOTHING,
                change.new.unit.version if change.new else _NOTHING,
                _growth(change.growth),
                _origin(change.old, change.new),
            )
            for change in changes
        ],
        numbers=("size",),
    )
    counts = Counter(change.move for change in changes)
    told = ", ".join(f"{counts[move]} {move}" for move in ("added", "removed", "updated", "moved"))
    growth = sum(change.growth for change in changes)
    click.echo(f"packages: {told}; {_growth(growth)} of package files")


def _origin(old: Package | None, new: Package | None) -> str:
    """Return the image that installs the package, or both where they differ."""
    return " -> ".join(dict.fromkeys(str(one.image) for one in (old, new) if one))


def _show_groups(groups: Turnover[Group]) -> None:
    _show(
        ("group", "change", "size"),
        [
            (_named([unit.key for unit in group.units]), move, size_text(group.size))
            for move, changed in (("new", groups.new), ("gone", groups.gone))
            for group in changed
        ],
        numbers=("size",),
    )
    click.echo(
        f"layer groups: {len(groups.kept)} kept, {len(groups.new)} new, {len(groups.gone)} gone; "
        f"{size_text(sum(group.size for group in groups.new))} of package files in new ones"
    )


def _show_files(changes: Sequence[FileChange], *, all_files: bool) -> None:
    every_one = all_files or len(changes) <= _ROWS
    if every_one:
        _show(
            ("path", "change", "what", "size"),
            [
                (
                    path_text(change.path),
                    change.move,
                    ", ".join(change.aspects),
                    _growth(change.growth),
                )
                for change in changes
            ],
            numbers=("size",),
        )
    else:
        _show(
            ("directory", "added", "removed", "changed", "size"),
            [
                (
                    path_text(folder.path),
                    str(folder.counts.get("added", 0)),
                    str(folder.counts.get("removed", 0)),
                    str(folder.counts.get("changed", 0)),
                    _growth(folder.growth),
                )
                for folder in by_folder(changes, limit=_ROWS)
            ],
            numbers=("added", "removed", "changed", "size"),
        )
    counts = Counter(change.move for change in changes)
    told = ", ".join(f"{counts[move]} {move}" for move in ("added", "removed", "changed"))
    hint = "" if every_one else "; --files shows every one"
    click.echo(f"files: {told}; {_growth(sum(change.growth for change in changes))}{hint}")


def _show_runtime(changes: Sequence[SettingChange]) -> None:
    _show(
        ("setting", "old", "new"),
        [
            (printable(change.name), _setting(change.old), _setting(change.new))
            for change in changes
        ],
    )


def _setting(value: str | None) -> str:
    return _NOTHING if value is None else printable(value)


def _show_layers(layers: Turnover[Layer], transfer: Transfer) -> None:
    _show(
        ("layer", "change", "compressed", "uncompressed", "holds"),
        [
            (
                layer.digest.short,
                move,
                size_text(layer.size),
                size_text(layer.apparent),
                _named(layer.units) or "configuration",
            )
            for move, changed in (("new", layers.new), ("gone", layers.gone))
            for layer in changed
        ],
        numbers=("compressed", "uncompressed"),
    )
    told = ", ".join(
        f"{len(some)} {move} ({size_text(sum(layer.size for layer in some))})"
        for move, some in (("kept", layers.kept), ("new", layers.new), ("gone", layers.gone))
    )
    click.echo(f"layers: {told}")
    click.echo(
        f"to fetch where the old image is: {size_text(transfer.blobs)}; "
        f"{size_text(transfer.prefix)} where layers are shared by equal prefixes only"
    )


def _show(
    columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, numbers: Iterable[str] = ()
) -> None:
    """Print a table after an empty line, unless it has no rows."""
    table = Table(columns=columns, rows=tuple(rows), numbers=frozenset(numbers))
    click.echo()
    if table.rows:
        show_table(table)


def _growth(size: int) -> str:
    """Return a difference of bytes with its sign."""
    if not size:
        return "0 B"
    return f"{'+' if size > 0 else '-'}{size_text(abs(size))}"


def _named(units: Sequence[str]) -> str:
    named = ", ".join(units[:_NAMED])
    more = len(units) - _NAMED
    return f"{named} and {more} more" if more > 0 else named
