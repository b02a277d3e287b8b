"""`lamina ci`: a pipeline of continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lamina.ci import Comparison, System, compare_files, write_files
from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    json_option,
    namespace_option,
    schemes_option,
    selection_options,
    settings_options,
)
from lamina.cli.output import print_json
from lamina.errors import UsageError
from lamina.model.names import Scheme
from lamina.model.selection import Selection
from lamina.pipeline import ci
from lamina.pipeline.ci import MadePipeline, PipelineOptions
from lamina.settings import Settings

_STALE = 1


@click.command(
    "ci",
    cls=Command,
    help=f"""Write a pipeline that locks, plans, builds, tests, and publishes what is due.

Changes that are proposed are built and tested as the lock has them. By schedule, or started by
hand, the newest packages are locked, and what is due is published. Without --to, the files are
printed.

With several groups, images that others stand on are built first, then the rest in jobs of equal
weight: by the time of earlier builds that the store knows of, else by the number of packages.
What one job has built, later ones pull from the shared cache: the first of 'caches' in lamina.toml
that is another namespace of the registry.

Credentials are the system's own secrets, LAMINA_REGISTRY_USER and LAMINA_REGISTRY_PASSWORD.

{SELECTION_HELP} Ancestors come by themselves.
""",
    examples={
        "lamina ci github --registry registry.example.org/fleet --requirement . --to .": "A "
        "workflow for a checkout of lamina, one job that builds.",
        "lamina ci gitlab --registry registry.example.org/fleet --requirement "
        "https://example.org/lamina-0.1.0-py3-none-any.whl --groups 5 --to .": "Five jobs, which "
        "share a cache of lamina.toml.",
        "lamina ci zuul --registry registry.example.org/fleet --requirement . --to . --check": "Is "
        "it up to date?",
    },
    exit_codes={
        0: "the pipeline is there; with --check: it is up to date",
        1: "a file cannot be written; with --check: the pipeline is stale, the diff is shown",
        2: f"{WRONG}; or a file is in the way of the pipeline",
    },
)
@click.argument("system", type=click.Choice([system.value for system in System]))
@selection_options
@namespace_option("--registry", "Where the images are published.", required=True)
@click.option(
    "--groups",
    "count",
    metavar="N",
    type=click.IntRange(min=1, max=100),
    default=1,
    show_default=True,
    help="How many jobs build the images.",
)
@schemes_option(Scheme.SPLIT)
@click.option(
    "--requirement",
    metavar="TEXT",
    required=True,
    help="What pip installs to have lamina: 'lamina==VERSION' of an index that you trust, the "
    "address of a wheel, or '.' in a checkout.",
)
@click.option(
    "--runner",
    metavar="LABEL",
    default="",
    help="The label of the machines that build; they give jobs root's rights.",
)
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The root of the repository that the pipeline is written to.",
)
@click.option("--check", is_flag=True, help="Only say whether the pipeline there is up to date.")
@json_option
@settings_options
def command(
    settings: Settings,
    selection: Selection,
    system: str,
    folder: Path | None,
    *,
    check: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Make the pipeline, then print, write or compare it."""
    if check and folder is None:
        raise UsageError.one(
            "there is nothing to compare with", place="--check", remedy="give --to DIR as well"
        )
    made = ci.ci(
        settings,
        selection,
        PipelineOptions(system=System(system), **options),
        folder or Path.cwd(),
        keep_groups=check,
    )
    if folder is None:
        _print(made, as_json=as_json)
        return 0
    compared = (
        compare_files(made.files, made.there)
        if check
        else write_files(folder, made.files, made.there)
    )
    if as_json:
        print_json({**_values(made), "stale": list(compared.stale), "diff": compared.diff})
    else:
        click.echo(_told(compared, check=check))
    return _STALE if check and compared.stale else 0


def _values(made: MadePipeline) -> dict[str, object]:
    return {
        "files": dict(made.files),
        "groups": [[str(image) for image in group] for group in made.groups],
    }


def _print(made: MadePipeline, *, as_json: bool) -> None:
    if as_json:
        print_json(_values(made))
        return
    for path, text in made.files.items():
        # Of several files each is a document of its own, behind its path.
        click.echo(f"--- # {path}\n{text}" if len(made.files) > 1 else text, nl=False)


def _told(compared: Comparison, *, check: bool) -> str:
    if check and compared.stale:
        return f"{compared.diff}{', '.join(compared.stale)}: stale, run this without --check"
    lines = [f"{path}: written" for path in compared.stale]
    lines += [f"{path}: {'up to date' if check else 'unchanged'}" for path in compared.current]
    return "\n".join(lines)
