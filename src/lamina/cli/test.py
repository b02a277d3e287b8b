"""`lamina test`: the images' own tests."""

from __future__ import annotations

import click

from lamina.cli.command import Command, typed
from lamina.cli.options import (
    SELECTION_HELP,
    WRONG,
    jobs_option,
    json_option,
    selection_options,
    settings_options,
)
from lamina.cli.outcomes import exit_code, result_values, show_tests
from lamina.cli.output import print_json, progress
from lamina.model.selection import Selection
from lamina.pipeline import uses
from lamina.settings import Settings


@click.command(
    "test",
    cls=Command,
    help=f"""Run the tests that built images have in the catalogue, each in a throw-away copy of
its image, without network. A test is a command, or a start of the service as a deployment
makes it: with config.json mounted, by its user, until it is healthy, and to its stop.

{SELECTION_HELP}
""",
    examples={
        "lamina test": "All tests of the fleet.",
        "lamina test --kind infra": "Those of the infra images.",
        "lamina test mariadb-server": "Those of one image.",
        "lamina test --json": "What every test has shown, and how long each phase took.",
    },
    exit_codes={
        0: "every test passed",
        2: WRONG,
        3: "an image's test failed",
        130: "interrupted",
    },
)
@selection_options
@jobs_option
@json_option
@settings_options
def command(settings: Settings, selection: Selection, *, as_json: bool) -> int:
    """Test, and tell what came of it."""
    with progress(quiet=as_json) as listener:
        result = uses.test(settings, selection, listener=listener)
    if as_json:
        print_json(result_values(result))
    else:
        show_tests(result, again=typed())
    return exit_code(result)
