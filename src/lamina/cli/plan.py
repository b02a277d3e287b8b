"""`lamina plan`: what a build would do, and why."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lamina.cli.command import Command
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    json_option,
    selection_options,
    settings_options,
)
from lamina.cli.output import note, print_json, show_table
from lamina.console import Table
from lamina.model.plan import Plan
from lamina.model.selection import Selection
from lamina.pipeline import fleet, relock
from lamina.settings import Settings

_SHOWN = 4  # reasons in a table's cell
_CHANGES = 2


@click.command(
    "plan",
    cls=Command,
    help=f"""Say what a build would do, and why. Needs no network, and changes nothing.

An image that is built only because its parent is may be kept after all, when the parent comes
out the same. With --cached, the caches of lamina.toml are asked which images would be pulled
instead. An image that is there, but has not passed the tests that it has now, is tested only.

{SELECTION_HELP}
""",
    examples={
        "lamina plan": "What has changed in the whole fleet.",
        "lamina plan ovn-base+ --json": "The same of one part, with every reason.",
        "lamina plan --detailed-exitcode": "For a script: is there anything to do?",
        "lamina plan --cached": "What of it others have built, and what is left to build.",
    },
    exit_codes={
        0: "the plan is shown; with --detailed-exitcode: nothing is to be built or pulled",
        2: f"{WRONG}; with --detailed-exitcode also: there are changes",
    },
)
@selection_options
@click.option(
    "--detailed-exitcode", "detailed", is_flag=True, help="Exit with 2 when there are changes."
)
@click.option(
    "--cached", is_flag=True, help="Ask the caches of lamina.toml, which needs a network."
)
@json_option
@settings_options
def command(
    settings: Settings, selection: Selection, *, detailed: bool, cached: bool, as_json: bool
) -> int:
    """Show the plan."""
    catalog = fleet.load(settings)
    locked = relock.locked(settings, catalog)
    chosen = fleet.choose(settings, catalog, selection)
    if cached:
        # Loaded here, because it loads all that builds, which a plan of one's own does without.
        from lamina.pipeline.cached import plan_with_caches

        plan = plan_with_caches(settings, catalog, locked, chosen, listener=note)
    else:
        plan = fleet.plan(settings, catalog, locked, chosen)
    if as_json:
        print_json(
            {
                "steps": [
                    {
                        "image": str(step.image),
                        "action": step.action,
                        "reasons": list(step.reasons),
                    }
                    for step in plan.steps
                ]
            }
        )
    else:
        for fault in fleet.current(settings).faults:
            click.echo(str(fault), err=True)  # why an image that was built is planned as new
        _show(plan)
    changed = any(plan.with_action(action) for action in ("build", "pull", "test"))
    return _CHANGES if detailed and changed else 0


def _show(plan: Plan) -> None:
    changed = [step for step in plan.steps if step.action != "keep"]
    if changed:
        show_table(
            Table(
                columns=("image", "action", "reasons"),
                rows=tuple((str(step.image), step.action, _told(step.reasons)) for step in changed),
            )
        )
    pulled, tested = len(plan.with_action("pull")), len(plan.with_action("test"))
    click.echo(
        f"{len(plan.with_action('build'))} to build, {f'{pulled} to pull, ' if pulled else ''}"
        f"{f'{tested} to test, ' if tested else ''}"
        f"{len(plan.with_action('keep'))} unchanged, {len(plan.with_action('blocked'))} blocked"
    )


def _told(reasons: Sequence[str]) -> str:
    """Return the reasons as one text; of very many only the first ones."""
    if len(reasons) <= _SHOWN + 1:
        return "; ".join(reasons)
    return "; ".join([*reasons[:_SHOWN], f"and {len(reasons) - _SHOWN} more reasons"])
