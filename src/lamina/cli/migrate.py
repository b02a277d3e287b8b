"""`lamina migrate`: move consumers of the images to the fleet's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, assert_never, get_args

import click

from lamina.cli.command import Command
from lamina.cli.migrate_text import (
    changed_text,
    checked_values,
    migration_values,
    show_checked,
    show_migration,
)
from lamina.cli.options import WRONG, ca_option, json_option, settings_options
from lamina.cli.output import print_json, progress
from lamina.errors import UsageError
from lamina.migrate.migration import Migration
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.pipeline.migrate import (
    Published,
    apply_migration,
    check_migration,
    plan_migration,
    revert_migration,
)
from lamina.settings import Settings

_LEFT = 1  # something for a person to decide
_Action = Literal["plan", "apply", "check", "revert"]
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    "migrate",
    cls=Command,
    help="""Move the files of those who use the images to the names that the fleet has now.
TREE is a folder or a file: a checkout of kolla-ansible, /etc/kolla, an inventory with its
group_vars and host_vars, TripleO's template of images and environments, documents and scripts
that name images.

\b
  plan      show a diff, the old and the new names, and which containers a
            deployment will recreate; nothing is written
  apply     do that, in all files or in none
  check     prove it by rendering the variables of Ansible before and after,
            for each distribution and type, and TripleO's template for each
            driver: the same parameters, only the references to moved images
            have changed
  revert    give back the bytes that were there before the first `apply`

The catalogue decides by an image's name what becomes of a reference: that of an infra image loses
its type, and one whose image has a new name gets it. All others stay, and so do comments in YAML,
order, quoting and layout. Whatever could not be decided is listed, and the exit code is 1.

`check` says the same before `apply` and after it. With --registry, --digests or --layout it also
looks whether every new reference of the deployment is published there.

`apply` can be run again, and then changes nothing. It keeps what `revert` needs in
TREE.lamina-migration.json beside the tree.
""",
    examples={
        "lamina migrate plan kolla-ansible": "What would change in a checkout.",
        "lamina migrate apply kolla-ansible": "Change it.",
        "lamina migrate check kolla-ansible --vars globals.yml --digests digests.json": (
            "Prove it with the deployment's settings, and that the images are published."
        ),
        "lamina migrate revert kolla-ansible": "Have it back as it was.",
        "lamina migrate plan /etc/kolla --names infra": "Names such as debian-infra-cron.",
    },
    exit_codes={
        0: "done, and nothing is left to decide",
        1: "something could not be decided or proved; or a folder cannot be written",
        2: f"{WRONG}; or a file has changed since it was moved",
        4: "the registry could not be asked",
    },
)
@click.argument("action", type=click.Choice(get_args(_Action)))
@click.argument("tree", type=click.Path(path_type=Path))
@click.option(
    "--names",
    "scheme",
    type=click.Choice([Scheme.SPLIT.value, Scheme.INFRA.value]),
    help="The scheme of the new names: debian-cron or debian-infra-cron; that of the last `apply`, "
    "else split, by default.",
)
@click.option(
    "--vars",
    "variables",
    metavar="FILE",
    type=_FILE,
    multiple=True,
    help="For `check`: variables that win over the tree's; can be given several times.",
)
@click.option(
    "--digests",
    metavar="FILE",
    type=_FILE,
    help="For `check`: what is published, as `lamina publish --digests` writes it.",
)
@click.option(
    "--layout",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="For `check`: what is published, as an OCI image layout.",
)
@click.option(
    "--registry",
    metavar="REGISTRY/NAMESPACE",
    help="For `check`: ask there what is published; http:// in front of one without TLS.",
)
@ca_option
@json_option
@settings_options
def command(
    settings: Settings,
    action: _Action,
    tree: Path,
    scheme: str | None,
    *,
    variables: tuple[Path, ...],
    digests: Path | None,
    layout: Path | None,
    registry: str | None,
    as_json: bool,
) -> int:
    """Do as `action` says, and tell what came of it."""
    _refuse(
        action,
        {"--vars": variables, "--digests": digests, "--layout": layout, "--registry": registry},
    )
    names = Scheme(scheme) if scheme else None
    match action:
        case "plan":
            return _tell(plan_migration(settings, tree, names), tree, done=False, as_json=as_json)
        case "apply":
            return _tell(apply_migration(settings, tree, names), tree, done=True, as_json=as_json)
        case "check":
            namespace = Namespace.parse(registry) if registry else None
            published = Published(digests=digests, layout=layout, namespace=namespace)
            with progress(quiet=as_json) as listener:
                checked = check_migration(
                    settings,
                    tree,
                    names,
                    variables=variables,
                    published=published,
                    listener=listener,
                )
            print_json(checked_values(checked)) if as_json else show_checked(checked, tree)
            return _LEFT if checked.faults else 0
        case "revert":
            return _revert(tree, as_json=as_json)
    assert_never(action)


def _tell(migration: Migration, tree: Path, *, done: bool, as_json: bool) -> int:
    if as_json:
        print_json(migration_values(migration))
    else:
        show_migration(migration, diff=not done)
        click.echo(f"{tree}: {changed_text(migration)} {'changed' if done else 'would change'}")
    return _LEFT if migration.undecided else 0


def _refuse(action: _Action, options: Mapping[str, object]) -> None:
    """Refuse options of `check` with another action."""
    given = [option for option, value in options.items() if value]
    if given and action != "check":
        raise UsageError.one(
            f"{' and '.join(given)} {'goes' if len(given) == 1 else 'go'} with `check` only",
            place=f"lamina migrate {action}",
            remedy="leave it out, or say `lamina migrate check`",
        )


def _revert(tree: Path, *, as_json: bool) -> int:
    reverted = revert_migration(tree)
    if as_json:
        told = {"reverted": list(reverted.written), "unchanged": list(reverted.unchanged)}
        print_json(told)
    else:
        click.echo(
            f"{tree}: {len(reverted.written)} files as they were before, "
            f"{len(reverted.unchanged)} were so already"
        )
    return 0
