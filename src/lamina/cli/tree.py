"""`lamina tree`: images below their parents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
from lamina.model.image import Image, ImageId
from lamina.model.selection import Selection, with_ancestors
from lamina.pipeline import fleet
from lamina.settings import Settings

Children = Mapping[ImageId | None, Sequence[Image]]


@click.command(
    "tree",
    cls=Command,
    help=f"""Show images below their parents, with all ancestors of the selected.

{SELECTION_HELP}
""",
    examples={
        "lamina tree": "The whole fleet.",
        "lamina tree family:ceph": "The ceph images, down from the base.",
        "lamina tree openvswitch-base+": "An image with everything below it.",
    },
    exit_codes={0: "the tree is shown", 2: WRONG},
)
@selection_options
@json_option
@settings_options
def command(settings: Settings, selection: Selection, *, as_json: bool) -> int:
    """Draw the tree."""
    catalog = fleet.load(settings)
    selected = frozenset(with_ancestors(catalog, fleet.choose(settings, catalog, selection)))
    children: dict[ImageId | None, list[Image]] = {}
    for image in catalog.images:
        if image.id in selected:
            children.setdefault(image.parent, []).append(image)
    if as_json:
        print_json(_nested(children, None))
    else:
        click.echo("".join(f"{line}\n" for line in _drawn(children, None)), nl=False)
    return 0


def _nested(children: Children, parent: ImageId | None) -> list[dict[str, Any]]:
    return [
        {"image": str(image.id), "children": _nested(children, image.id)}
        for image in children.get(parent, ())
    ]


def _drawn(children: Children, parent: ImageId | None, indent: str = "") -> Iterator[str]:
    siblings = children.get(parent, ())
    for place, image in enumerate(siblings, start=1):
        last = place == len(siblings)
        branch = ("└── " if last else "├── ") if parent else ""
        reason = f"  (cannot be built: {image.unbuildable})" if image.unbuildable else ""
        yield f"{indent}{branch}{image.id}{reason}"
        below = ("    " if last else "│   ") if parent else ""
        yield from _drawn(children, image.id, indent + below)
