"""The storage report as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never

import click

from lamina.cli.output import show_table
from lamina.console import Table, size_text
from lamina.storage import LayerStorage, Size, StorageReport, Update, median_size

_SHOWN = 4  # packages, images or causes in a table's cell
_LARGEST = 3  # of the files in a delta


class By(StrEnum):
    """What each line of the report is about."""

    IMAGE = "image"
    LAYER = "layer"
    PACKAGE = "package"
    DELTA = "delta"


def show_report(report: StorageReport, by: By) -> None:
    """Print one table of the fleet's parts, the fleet as a whole, and the what-ifs."""
    show_table(_parts(report, by))
    click.echo()
    show_table(_fleet(report))
    click.echo()
    show_table(_what_ifs(report))
    click.echo(report.answer)
    click.echo(f"{len(report.images)} images, {len(report.layers)} layers")


def show_update(update: Update) -> None:
    """Print the layers that an update brings, and what they come to."""
    if update.layers:
        columns = ("layer", "images", "uncompressed", "compressed", "causes")
        rows = tuple(
            (
                layer.group or "delta",
                _told([str(image) for image in layer.images]),
                *_both(layer.size, "~" if layer.estimated else ""),
                _told(layer.causes),
            )
            for layer in update.layers
        )
        show_table(Table(columns=columns, rows=rows, numbers=frozenset(columns[2:4])))
    sent, stored = _both(update.size)[::-1]
    click.echo(
        f"{len(update.images)} images are built again, {len(update.layers)} layers are new: "
        f"{sent} to send and to store compressed, {stored} uncompressed, "
        f"and {size_text(update.documents)} of manifests and configurations"
    )
    if update.estimated:
        click.echo("~ is not built yet: packages count with the size of their files where they are")


def _parts(report: StorageReport, by: By) -> Table:
    match by:
        case By.IMAGE:
            return _images(report)
        case By.LAYER:
            return _layers(report)
        case By.PACKAGE:
            return _packages(report)
        case By.DELTA:
            return _deltas(report)
    assert_never(by)


def _images(report: StorageReport) -> Table:
    columns = ("image", "layers", "apparent", "exclusive", "amortised", "compressed")
    rows = tuple(
        (
            str(image.id),
            str(image.layers),
            size_text(image.apparent.uncompressed),
            size_text(image.exclusive.uncompressed),
            size_text(image.amortised.uncompressed),
            size_text(image.apparent.compressed),
        )
        for image in report.images
    )
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[1:]))


def _layers(report: StorageReport) -> Table:
    columns = ("layer", "images", "uncompressed", "compressed", "on disk", "holds")
    rows = tuple(
        (layer.digest.short, str(layer.images), *_three(layer.size), _held(layer))
        for layer in report.layers
    )
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[1:5]))


def _held(layer: LayerStorage) -> str:
    if layer.packages:
        return _told(layer.packages)
    return f"delta of {_told([str(image) for image in layer.delta_of])}"


def _packages(report: StorageReport) -> Table:
    columns = ("package", "version", "images", "stored", "uncompressed", "compressed")
    rows = tuple(
        (one.name, one.version, str(one.images), str(one.stored), *_both(one.size))
        for one in report.packages
    )
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[2:]))


def _deltas(report: StorageReport) -> Table:
    columns = ("delta of", "files", "uncompressed", "compressed", "largest in it")
    rows = [
        (
            str(one.image),
            str(one.files),
            *_both(one.size),
            ", ".join(f"{part.name} {size_text(part.size)}" for part in one.parts[:_LARGEST]),
        )
        for one in report.deltas
    ]
    rows.append(("median", "", *_both(median_size(report.deltas)), ""))
    return Table(columns=columns, rows=tuple(rows), numbers=frozenset(columns[1:4]))


def _fleet(report: StorageReport) -> Table:
    columns = ("fleet", "uncompressed", "compressed", "on disk")
    rows = (
        ("apparent", *_three(report.apparent)),
        ("unique", *_three(report.unique)),
        ("shared", *_three(report.shared)),
        ("lower bound", *_three(report.lower_bound)),
        ("ratio", f"{report.ratio:.3f}", f"{report.compressed_ratio:.3f}", ""),
        ("registry", "", size_text(report.registry), ""),
        ("node", size_text(report.node.uncompressed), "", size_text(report.node.disk)),
    )
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[1:]))


def _what_ifs(report: StorageReport) -> Table:
    columns = ("what if", "uncompressed", "ratio", "compressed", "compressed ratio")
    rows = tuple(
        (
            one.title,
            size_text(one.size.uncompressed),
            f"{one.ratio:.3f}",
            size_text(one.size.compressed),
            f"{one.compressed_ratio:.3f}",
        )
        for one in report.what_if
    )
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[1:]))


def _both(size: Size, mark: str = "") -> tuple[str, str]:
    return f"{mark}{size_text(size.uncompressed)}", f"{mark}{size_text(size.compressed)}"


def _three(size: Size) -> tuple[str, str, str]:
    return *_both(size), "" if size.disk is None else size_text(size.disk)


def _told(texts: Sequence[str]) -> str:
    """Return texts as one; of very many only the first ones."""
    if len(texts) <= _SHOWN + 1:
        return ", ".join(texts)
    return f"{', '.join(texts[:_SHOWN])} and {len(texts) - _SHOWN} more"
