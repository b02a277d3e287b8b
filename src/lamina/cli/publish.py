"""`lamina publish`: images in a registry, under all their names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    ca_option,
    json_option,
    namespace_option,
    schemes_option,
    selection_options,
    settings_options,
)
from lamina.cli.output import print_json, progress, show_table
from lamina.cli.publish_beside import (
    beside_values,
    due_values,
    show_beside,
    show_cost,
    show_due,
)
from lamina.console import Table, size_text
from lamina.model.amounts import count_text
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.model.selection import Selection
from lamina.pipeline import publish
from lamina.settings import Settings


@click.command(
    "publish",
    cls=Command,
    help=f"""Send images to a registry, under all the names that are asked for.

The registry is asked first what it has. What it lacks is sent once, for all images together;
every further repository mounts it. All names of an image mean one manifest. A tag that never
moves, content-DIGEST, goes beside them. The tags move last, when all is there: killed at any
time, lamina leaves no tag that does not resolve, and the same command does the rest.

With --due, an image is sent only if it has changed, and no sooner than its cadence has it:
weekly, daily or on-change, as the catalogue says. A security update does not wait.

The password is that of container tools: REGISTRY_AUTH_FILE, or what `skopeo login`,
`podman login` and `docker login` have written, credential helpers included.

{SELECTION_HELP} Of those, what is built.
""",
    examples={
        "lamina publish --to registry.example.org/cloud --dry-run": "What would be sent.",
        "lamina publish --to registry.example.org/cloud --tag 2026.1": "Everything that is built.",
        "lamina publish kind:infra --to registry.example.org/cloud --names split,legacy": (
            "By their names of today and of before."
        ),
        "lamina publish --to registry.example.org/cloud --due": (
            "What has changed and whose turn it is, as every night."
        ),
        "lamina publish --to registry.example.org/cloud --digests digests.yaml": (
            "With a file that gives the digest of every name."
        ),
    },
    exit_codes={
        0: "every name means its image; with --dry-run: it is said what that takes",
        1: "the store is damaged, or the file of digests cannot be written",
        2: f"{WRONG}; or an image is not built",
        4: "the registry could not be used, or refuses",
        130: "interrupted; the same command does the rest",
    },
)
@selection_options
@namespace_option("--to", "Where to; http:// in front of a registry without TLS.", required=True)
@schemes_option(Scheme.SPLIT)
@click.option(
    "--tag", metavar="TAG", default="latest", show_default=True, help="The tag that moves."
)
@click.option(
    "--digests",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every published reference with its digest, as .json or .yaml.",
)
@click.option("--due", is_flag=True, help="Only what has changed and is due by its cadence.")
@click.option(
    "--until",
    metavar="DAY",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Tell of names in any but the first scheme that they are kept until this day.",
)
@click.option("--dry-run", is_flag=True, help="Only ask the registry, and say what would be sent.")
@ca_option
@json_option
@settings_options
def command(
    settings: Settings,
    selection: Selection,
    *,
    namespace: Namespace,
    schemes: tuple[Scheme, ...],
    tag: str,
    digests: Path | None,
    due: bool,
    until: datetime | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Publish, and tell what it took."""
    target = publish.Target(
        namespace=namespace,
        schemes=schemes,
        tag=tag,
        digests=digests,
        due=due,
        until=until.date() if until else None,
    )
    with progress(quiet=as_json) as listener:
        published = publish.publish(
            settings,
            selection,
            target,
            listener=listener,
            now=datetime.now(UTC),
            dry_run=dry_run,
        )
    if as_json:
        print_json(_values(published, namespace, dry_run=dry_run))
    else:
        _show(published, namespace, dry_run=dry_run)
    return 0


def _values(published: publish.Published, namespace: Namespace, *, dry_run: bool) -> dict[str, Any]:
    """Return the form that scripts rely on."""
    plan, traffic = published.plan, published.traffic
    changed = {tagging.image for tagging in (*plan.contents, *plan.tags)}
    return {
        "to": str(namespace),
        "dry_run": dry_run,
        "images": [
            {
                "image": str(one.image),
                "manifest": str(one.manifest),
                "changed": one.image in changed,
                "names": [namespace.address(reference) for reference in one.references],
                "content_tag": one.content_tag,
            }
            for one in published.publications
        ],
        "plan": {
            "blobs": len(plan.uploads),
            "blob_bytes": plan.blob_bytes,
            "mounts": len(plan.mounts),
            "manifests": len(plan.contents),
            "manifest_bytes": plan.manifest_bytes,
            "tags": len(plan.tags),
            "requests": plan.requests,
        },
        "sent": {
            "blob_bytes": traffic.blob_bytes,
            "manifest_bytes": traffic.manifest_bytes,
            "requests": traffic.requests,
            "asked": published.asked,
            "repeated": traffic.repeated,
        },
        **beside_values(published),
        **due_values(published),
    }


def _show(published: publish.Published, namespace: Namespace, *, dry_run: bool) -> None:
    plan, traffic = published.plan, published.traffic
    if published.due:
        show_due(published.due)
    moved = {tagging.reference for tagging in plan.tags}
    rows = tuple(
        (str(one.image), str(namespace.address(reference)), one.manifest.short)
        for one in published.publications
        for reference in one.references
        if reference in moved
    )
    if rows:
        show_table(Table(columns=("image", "name", "manifest"), rows=rows))
    verb = "would be " if dry_run else ""
    unchanged = sum(len(one.references) for one in published.publications) - len(moved)
    click.echo(
        f"{count_text(len(plan.uploads), 'blob')} of {size_text(plan.blob_bytes)} {verb}sent, "
        f"{len(plan.mounts)} {verb}mounted, "
        f"{count_text(len(plan.contents), 'manifest')} {verb}put, "
        f"{count_text(len(moved), 'tag')} {verb}moved, {unchanged} unchanged"
    )
    if dry_run:
        click.echo(
            f"that takes {count_text(plan.requests, 'request')}; asking took {published.asked}"
        )
        if published.due:
            show_cost(published, published.due.cost, dry_run=dry_run)
        return
    again = f", {traffic.repeated} of them again" if traffic.repeated else ""
    click.echo(
        f"{size_text(traffic.blob_bytes + traffic.manifest_bytes)} sent in "
        f"{count_text(traffic.requests, 'request')}{again}"
    )
    if published.beside:
        show_beside(published.beside)
    if published.due:
        show_cost(published, published.due.cost, dry_run=dry_run)
