"""`lamina export`: images for other programs."""

from __future__ import annotations

import click

from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    json_option,
    selection_options,
    settings_options,
)
from lamina.cli.output import print_json, progress
from lamina.errors import UsageError
from lamina.model.destination import Destination
from lamina.model.selection import Selection
from lamina.pipeline import uses
from lamina.settings import Settings


class _DestinationType(click.ParamType[Destination]):
    name = "destination"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Destination:
        """Read `TRANSPORT:PLACE`."""
        return value if isinstance(value, Destination) else Destination.parse(str(value))


@click.command(
    "export",
    cls=Command,
    help=f"""Hand built images to another program: to a plain folder of files (rootfs:DIR), an OCI
image layout (oci:DIR), an archive of one (oci-archive:FILE), Docker (docker-daemon:REF), or
podman and CRI-O (containers-storage:REF).

{SELECTION_HELP}
""",
    examples={
        "lamina export redis --to containers-storage:localhost/redis:latest": "For podman.",
        "lamina export cron --to rootfs:/tmp/cron": "The image's files, in a folder.",
        "lamina export kind:infra --to oci:layout": "Many images in one layout, by their names.",
    },
    exit_codes={
        0: "the images are there",
        1: "the store is damaged, or the destination cannot be written",
        2: f"{WRONG}; or an image is not built",
        4: "the other program could not be reached",
    },
)
@selection_options
@click.option(
    "--to",
    "destination",
    metavar="TRANSPORT:PLACE",
    type=_DestinationType(),
    required=True,
    help="Where to: rootfs:, oci:, oci-archive:, docker-daemon: or containers-storage:.",
)
@json_option
@settings_options
def command(
    settings: Settings, selection: Selection, destination: Destination, *, as_json: bool
) -> int:
    """Export, and tell what went where."""
    if selection == Selection():
        raise UsageError.one(
            "no image to export", place="lamina export", remedy="name one, or several: '*' is all"
        )
    with progress(quiet=as_json) as listener:
        exported = uses.export(settings, selection, destination, listener=listener)
    if as_json:
        print_json(
            {
                "images": [
                    {"image": str(image), "manifest": str(manifest)}
                    for image, manifest in exported.items()
                ],
                "to": str(destination),
            }
        )
    else:
        for image in exported:
            click.echo(f"{image} -> {destination}")
    return 0
