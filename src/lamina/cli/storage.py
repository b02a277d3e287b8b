"""`lamina storage`: what images weigh and share."""

from __future__ import annotations

from typing import Any

import click

from lamina import pipeline
from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    json_option,
    selection_argument,
    settings_options,
)
from lamina.cli.output import print_json, show_table
from lamina.console import Table, size_text
from lamina.settings import Settings
from lamina.storage import ImageStorage, Size, StorageReport


@click.command(
    "storage",
    cls=Command,
    help=f"""Report what the built images weigh: each with everything it has (apparent), with what
only it has (exclusive), and with its part of what it shares (amortised).

The fleet's unique bytes are every layer once; its lower bound is every package once and every
image's own changes once. Sizes are uncompressed, as on a node that runs the images, and
compressed, as in a registry.

{SELECTION_HELP}
""",
    examples={
        "lamina storage": "The whole fleet.",
        "lamina storage kind:infra": "Only the infra images, as if there were no others.",
        "lamina storage --json": "In bytes.",
    },
    exit_codes={0: "the report is printed", 1: "the store is damaged", 2: WRONG},
)
@selection_argument
@json_option
@settings_options
def command(settings: Settings, terms: tuple[str, ...], *, as_json: bool) -> int:
    """Show the report."""
    catalog = pipeline.load(settings)
    report = pipeline.storage(settings, pipeline.choose(settings, catalog, terms))
    if as_json:
        print_json(_values(report))
    else:
        _show(report)
    return 0


def _values(report: StorageReport) -> dict[str, Any]:
    compressed = {
        "apparent": report.apparent.compressed,
        "unique": report.unique.compressed,
        "lower_bound": report.lower_bound.compressed,
        "ratio": report.compressed_ratio,
    }
    return {
        "fleet": {
            "apparent": report.apparent.uncompressed,
            "unique": report.unique.uncompressed,
            "lower_bound": report.lower_bound.uncompressed,
            "ratio": report.ratio,
            "layers": report.layers,
            "compressed": compressed,
        },
        "what_if": {},
        "images": [_image_values(image) for image in report.images],
    }


def _image_values(image: ImageStorage) -> dict[str, Any]:
    sizes = {
        "apparent": image.apparent,
        "exclusive": image.exclusive,
        "shared": image.shared,
        "amortised": image.amortised,
    }
    return {
        "image": str(image.image),
        "layers": image.layers,
        **{name: size.uncompressed for name, size in sizes.items()},
        "compressed": {name: size.compressed for name, size in sizes.items()},
    }


def _show(report: StorageReport) -> None:
    columns = ("image", "layers", "apparent", "exclusive", "amortised", "compressed")
    show_table(
        Table(
            columns=columns,
            rows=tuple(
                (
                    str(image.image),
                    str(image.layers),
                    size_text(image.apparent.uncompressed),
                    size_text(image.exclusive.uncompressed),
                    size_text(image.amortised.uncompressed),
                    size_text(image.apparent.compressed),
                )
                for image in report.images
            ),
            numbers=frozenset(columns[1:]),
        )
    )
    click.echo()
    show_table(
        Table(
            columns=("fleet", "uncompressed", "compressed"),
            rows=(
                ("apparent", *_both(report.apparent)),
                ("unique", *_both(report.unique)),
                ("lower bound", *_both(report.lower_bound)),
                ("ratio", f"{report.ratio:.3f}", f"{report.compressed_ratio:.3f}"),
            ),
            numbers=frozenset(("uncompressed", "compressed")),
        )
    )
    click.echo(f"{len(report.images)} images, {report.layers} layers")


def _both(size: Size) -> tuple[str, str]:
    return size_text(size.uncompressed), size_text(size.compressed)
