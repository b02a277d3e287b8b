"""`lamina graph`: the graph of images, for programs that draw."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, assert_never

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
from lamina.model.image import Image, Kind
from lamina.model.selection import Selection, with_ancestors
from lamina.pipeline import fleet
from lamina.settings import Settings


class Format(StrEnum):
    """The language of the graph."""

    DOT = "dot"
    MERMAID = "mermaid"


@click.command(
    "graph",
    cls=Command,
    help=f"""Print the graph of images, an edge from each parent to its child, with all ancestors
of the selected.

{SELECTION_HELP}
""",
    examples={
        "lamina graph | dot -Tsvg > fleet.svg": "A picture of the fleet, by Graphviz.",
        "lamina graph family:ovn --format mermaid": "For a document that draws Mermaid.",
    },
    exit_codes={0: "the graph is printed", 2: WRONG},
)
@selection_options
@click.option(
    "--format",
    "language",
    type=click.Choice([language.value for language in Format]),
    default=Format.DOT.value,
    show_default=True,
    help="The language of the graph.",
)
@json_option
@settings_options
def command(settings: Settings, selection: Selection, language: str, *, as_json: bool) -> int:
    """Print the graph."""
    catalog = fleet.load(settings)
    selected = frozenset(with_ancestors(catalog, fleet.choose(settings, catalog, selection)))
    images = [image for image in catalog.images if image.id in selected]
    if as_json:
        print_json(_values(images))
        return 0
    click.echo(_written(images, Format(language)))
    return 0


def _written(images: Sequence[Image], language: Format) -> str:
    match language:
        case Format.DOT:
            return _dot(images)
        case Format.MERMAID:
            return _mermaid(images)
    assert_never(language)


def _values(images: Sequence[Image]) -> dict[str, Any]:
    return {
        "images": [{"image": str(image.id), "kind": image.kind} for image in images],
        "edges": [
            {"parent": str(image.parent), "child": str(image.id)}
            for image in images
            if image.parent
        ],
    }


def _dot(images: Sequence[Image]) -> str:
    lines = ["digraph fleet {", "  rankdir=LR;", "  node [shape=box];"]
    for image in images:
        shape = " [style=rounded]" if image.kind is Kind.OPENSTACK else ""
        lines.append(f'  "{image.id}"{shape};')
    lines.extend(f'  "{image.parent}" -> "{image.id}";' for image in images if image.parent)
    return "\n".join([*lines, "}"])


def _mermaid(images: Sequence[Image]) -> str:
    """Return a flowchart; nodes are numbered, for a name may hold what Mermaid gives a meaning."""
    numbers = {image.id: f"n{number}" for number, image in enumerate(images)}
    lines = ["flowchart LR"]
    for image in images:
        start, end = ("(", ")") if image.kind is Kind.OPENSTACK else ("[", "]")
        lines.append(f'  {numbers[image.id]}{start}"{image.id}"{end}')
    lines.extend(
        f"  {numbers[image.parent]} --> {numbers[image.id]}" for image in images if image.parent
    )
    return "\n".join(lines)
