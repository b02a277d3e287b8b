"""`lamina migrate`: move consumers of the images to the fleet's names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from lamina import pipeline
from lamina.cli.command import Command
from lamina.cli.migrate_text import (
    count_text,
    migration_values,
    show_migration,
)
from lamina.cli.options import WRONG, json_option, settings_options
from lamina.cli.output import print_json
from lamina.model.names import Scheme
from lamina.settings import Settings

_UNDECIDED = 1
_Action = Literal["plan", "apply", "revert"]


@click.command(
    "migrate",
    cls=Command,
    help="""Move the files of those who use the images to the names that the fleet has now.
TREE is a folder or a file: a checkout of kolla-ansible, /etc/kolla, an inventory with its
group_vars and host_vars, documents and scripts that name images.

\b
  plan      show a diff, the old and the new names, and which containers a
            deployment will recreate; nothing is written
  apply     do that, in all files or in none
  revert    give back the bytes that were there before the first `apply`

The catalogue decides by an image's name what becomes of a reference: that of an infra image loses
its type, and one whose image has a new name gets it. All others stay, and so do comments in YAML,
order, quoting and layout. Whatever could not be decided is listed, and the exit code is 1.

`apply` can be run again, and then changes nothing. It keeps what `revert` needs in
TREE.lamina-migration.json beside the tree.
""",
    examples={
        "lamina migrate plan kolla-ansible": "What would change in a checkout.",
        "lamina migrate apply kolla-ansible": "Change it.",
        "lamina migrate revert kolla-ansible": "Have it back as it was.",
        "lamina migrate plan /etc/kolla --names infra": "Names such as debian-infra-cron.",
    },
    exit_codes={
        0: "done, and nothing is left to decide",
        1: "something could not be decided; or a folder cannot be written",
        2: f"{WRONG}; or a file has changed since it was moved",
    },
)
@click.argument("action", type=click.Choice(("plan", "apply", "revert")))
@click.argument("tree", type=click.Path(path_type=Path))
@click.option(
    "--names",
    "scheme",
    type=click.Choice([Scheme.SPLIT.value, Scheme.INFRA.value]),
    default=Scheme.SPLIT.value,
    help="The scheme of the new names: debian-cron or debian-infra-cron; split by default.",
)
@json_option
@settings_options
def command(settings: Settings, action: _Action, tree: Path, scheme: str, *, as_json: bool) -> int:
    """Do as `action` says, and tell what came of it."""
    if action == "revert":
        return _revert(tree, as_json=as_json)
    do = pipeline.plan_migration if action == "plan" else pipeline.apply_migration
    migration = do(settings, tree, Scheme(scheme))
    if as_json:
        print_json(migration_values(migration))
    else:
        show_migration(migration, diff=action == "plan")
        done = "would change" if action == "plan" else "changed"
        click.echo(f"{tree}: {count_text(migration)} {done}")
    return _UNDECIDED if migration.undecided else 0


def _revert(tree: Path, *, as_json: bool) -> int:
    reverted = pipeline.revert_migration(tree)
    if as_json:
        told = {"reverted": list(reverted.written), "unchanged": list(reverted.unchanged)}
        print_json(told)
    else:
        click.echo(
            f"{tree}: {len(reverted.written)} files as they were before, "
            f"{len(reverted.unchanged)} were so already"
        )
    return 0
