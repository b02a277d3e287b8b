"""`lamina lock`: choose every package version."""

from __future__ import annotations

from typing import Any

import click

from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    json_option,
    layer_budget_option,
    selection_options,
    settings_options,
)
from lamina.cli.output import print_json, progress
from lamina.errors import UsageError
from lamina.lock import unpinned_images
from lamina.model.lock import Lock, UnitKind, spoken_key
from lamina.model.selection import Selection
from lamina.pipeline import fleet, relock
from lamina.pipeline.relock import Relocked
from lamina.settings import Settings


@click.command(
    "lock",
    cls=Command,
    help=f"""Choose every package version for the fleet, and write the lock file.

What is locked already stays as it is: only images that are new or changed in the catalogue are
solved. --update takes newer versions, of all images or of the selected ones. The distribution's
own solver chooses.

The lock also says which packages share a layer, so that the fleet stores each package once as far
as the number of layers that an image may have allows it. Layers stay from lock to lock.

Artifacts have the digest that the catalogue tells. Of those without, the lock fetches and pins what
it sees first, and says so; one that cannot be had is noted, and its images are blocked until then.

{SELECTION_HELP}
""",
    examples={
        "lamina lock": "Bring the lock up to the catalogue; the first time, make it.",
        "lamina lock --update": "Take what the distribution has now: security updates too.",
        "lamina lock --update haproxy+": "The same for one image and its descendants.",
        "lamina lock --check": "For continuous integration: does the lock fit the catalogue?",
    },
    exit_codes={
        0: "the lock fits the catalogue; artifacts that could not be had are noted",
        2: f"{WRONG}, or packages that cannot be had together; with --check: the lock does not "
        "fit, or lacks a digest",
        4: "a mirror of packages could not be used",
    },
)
@selection_options
@click.option("--check", is_flag=True, help="Only say whether the lock fits; needs no network.")
@click.option("--update", is_flag=True, help="Take newer versions, where there are any.")
@layer_budget_option
@json_option
@settings_options
def command(
    settings: Settings, selection: Selection, *, check: bool, update: bool, as_json: bool
) -> int:
    """Lock, or check the lock."""
    if check and update:
        raise UsageError.one(
            "--check changes nothing, --update does", place="lamina lock", remedy="give one of them"
        )
    if selection != Selection() and not update:
        raise UsageError.one(
            "a selection says what to update",
            place="lamina lock",
            remedy=f"`lamina lock --update {selection}`",
        )
    catalog = fleet.load(settings)
    if check:
        return _check(settings, relock.locked(settings, catalog), as_json=as_json)
    selected = fleet.choose(settings, catalog, selection) if update else ()
    with progress(quiet=as_json) as listener:
        relocked = relock.lock(settings, catalog, update=selected, listener=listener)
    if as_json:
        print_json(_values(relocked))
    else:
        click.echo(_told(relocked, settings))
    return 0


def _check(settings: Settings, lock: Lock, *, as_json: bool) -> int:
    # It fits all the same: what it says of such images is what could be known.
    for key, images in unpinned_images(lock).items():
        names = ", ".join(map(str, images))
        click.echo(
            f"{settings.lock}: {spoken_key(key)} is not pinned: {names}\n"
            "  run `lamina lock` where its place can be reached",
            err=True,
        )
    if as_json:
        print_json(_sums(lock))
    else:
        click.echo(f"{settings.lock}: fits the catalogue, {_counts(lock)}")
    return 0


def _values(relocked: Relocked) -> dict[str, Any]:
    change = relocked.change
    return {
        **_sums(relocked.lock),
        "changed": relocked.written,
        "added": [str(image) for image in change.added] if change else [],
        "removed": [str(image) for image in change.removed] if change else [],
        "packages": [
            {
                "package": one.package,
                "old": one.old,
                "new": one.new,
                "images": [str(image) for image in one.images],
                "below": [str(image) for image in one.below],
            }
            for one in (change.packages if change else ())
        ],
        "new_layers": [
            {
                "layer": one.layer,
                "packages": list(one.packages),
                "size": one.size,
                "images": [str(image) for image in one.images],
            }
            for one in (change.layers if change else ())
        ],
        "first_sight": [
            {
                "artifact": unit.name,
                "version": unit.version,
                "source": unit.repository,
                "path": unit.path,
                "digest": str(unit.digest),
                "new": unit in relocked.sighted,
            }
            for unit in relocked.lock.units.values()
            if unit.pinned == "first sight"
        ],
        "unpinned": [
            {"artifact": spoken_key(key), "images": [str(image) for image in images]}
            for key, images in unpinned_images(relocked.lock).items()
        ],
    }


def _sums(lock: Lock) -> dict[str, int]:
    return {
        "images": len(lock.images),
        "units": len(lock.units),
        "artifacts": sum(unit.kind is UnitKind.ARTIFACT for unit in lock.units.values()),
        "layers": len(lock.layers),
        "layer_budget": lock.layer_budget,
    }


def _told(relocked: Relocked, settings: Settings) -> str:
    lines = [str(relocked.change)] if relocked.change and str(relocked.change) else []
    lines += [
        f"pinned on first sight: {unit.spoken} from {unit.repository}: {unit.digest}"
        for unit in relocked.sighted
    ]
    state = "written" if relocked.written else "unchanged"
    return "\n".join([*lines, f"{settings.lock}: {state}, {_counts(relocked.lock)}"])


def _counts(lock: Lock) -> str:
    sums = _sums(lock)
    told = f"{sums['units'] - sums['artifacts']} packages"
    if sums["artifacts"]:
        told += f" and {sums['artifacts']} artifact{'s' * (sums['artifacts'] != 1)}"
    return f"{sums['images']} images, {told} in {sums['layers']} layers"
