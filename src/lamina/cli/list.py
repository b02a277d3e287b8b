"""`lamina list`: the images of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
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
from lamina.cli.output import print_json, show_table
from lamina.console import Table
from lamina.model.built import Built
from lamina.model.image import Image, ImageId
from lamina.model.names import Scheme, name_table
from lamina.model.selection import Selection
from lamina.pipeline import fleet
from lamina.plan import obstacles
from lamina.settings import Settings

_HELP = f"""List the images of the catalogue: name, kind, types, parent, and the digest of what
is built.

{SELECTION_HELP}
"""


@click.command(
    "list",
    cls=Command,
    help=_HELP,
    examples={
        "lamina list": "All images.",
        "lamina list --kind infra": "All infra images.",
        "lamina list kind:infra 'keystone*'": "All infra images, and all whose name begins so.",
        "lamina list --unbuildable": "What this distribution cannot have, and why.",
        "lamina list mariadb-server --names legacy": "The names it had in releases up to 2021.",
    },
    exit_codes={0: "the images are listed", 2: WRONG},
)
@selection_options
@click.option(
    "--unbuildable", is_flag=True, help="Only the images that cannot be built here, with reasons."
)
@click.option(
    "--names",
    "scheme",
    metavar="SCHEME",
    type=click.Choice([scheme.value for scheme in Scheme]),
    help="Print the images' references instead: split, infra, legacy or short.",
)
@click.option(
    "--tag", metavar="TAG", default="latest", show_default=True, help="The tag for --names."
)
@json_option
@settings_options
def command(
    settings: Settings,
    selection: Selection,
    scheme: str | None,
    tag: str,
    *,
    unbuildable: bool,
    as_json: bool,
) -> int:
    """Show the catalogue, or what its images are called."""
    catalog = fleet.load(settings)
    selected = frozenset(fleet.choose(settings, catalog, selection))
    why_not = obstacles(catalog)
    images = [
        image
        for image in catalog.images
        if image.id in selected and (image.id in why_not or not unbuildable)
    ]
    if scheme:
        names = name_table(images, catalog.distro, Scheme(scheme), tag=tag)
        if as_json:
            print_json({name: str(image) for name, image in names.items()})
        else:
            click.echo("".join(f"{name}\n" for name in names), nl=False)
        return 0
    entries = _entries(images, why_not, fleet.current(settings).images)
    if as_json:
        print_json(entries)
    elif unbuildable and not entries:
        click.echo(f"{catalog.distro.name} can have every one of these images")
    else:
        show_table(_table(entries, only_unbuildable=unbuildable))
    return 0


def _entries(
    images: Sequence[Image],
    why_not: Mapping[ImageId, str],
    current: Mapping[ImageId, Built],
) -> list[dict[str, Any]]:
    """Return an object for each name, with all its types, by name."""
    by_name = sorted(images, key=lambda image: image.id)
    return [
        _entry(list(group), why_not, current)
        for _, group in groupby(by_name, key=lambda image: image.id.name)
    ]


def _entry(
    types: Sequence[Image],
    why_not: Mapping[ImageId, str],
    current: Mapping[ImageId, Built],
) -> dict[str, Any]:
    first = types[0]
    reasons = [why_not[image.id] for image in types if image.id in why_not]
    entry: dict[str, Any] = {
        "name": first.id.name,
        "kind": first.kind,
        "types": [image.id.type for image in types if image.id.type],
        "family": first.family,
        "parent": first.parent.name if first.parent else None,
        "aliases": list(first.aliases),
        "buildable": len(reasons) < len(types),
        "summary": first.summary,
    }
    if reasons:
        entry["reason"] = reasons[0]
    digests = {
        image.id.type: str(current[image.id].manifest) for image in types if image.id in current
    }
    if digests:
        entry["manifest"] = digests.get(None, digests)
    return entry


def _table(entries: Sequence[Mapping[str, Any]], *, only_unbuildable: bool) -> Table:
    if only_unbuildable:
        return Table(
            columns=("name", "why not"),
            rows=tuple((entry["name"], entry.get("reason", "")) for entry in entries),
        )
    return Table(
        columns=("name", "kind", "types", "parent", "built"),
        rows=tuple(
            (
                entry["name"],
                entry["kind"],
                ",".join(entry["types"]),
                entry["parent"] or "",
                _state(entry),
            )
            for entry in entries
        ),
    )


def _state(entry: Mapping[str, Any]) -> str:
    if not entry["buildable"]:
        return f"cannot be: {entry['reason']}"
    manifest = entry.get("manifest", "")
    if isinstance(manifest, str):
        return _short(manifest)
    return ",".join(f"{type_}:{_short(digest)}" for type_, digest in manifest.items())


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
