"""Help that teaches: every command, flag and exit code is explained, and quickly."""

from __future__ import annotations

import subprocess
import sys
import time

import click
import pytest
from tests.cli.conftest import Lamina

from lamina.cli import COMMANDS, main
from lamina.cli.command import Command

CODES = {0, 1, 2, 3, 4, 130}


def command(name: str) -> Command:
    found = main.get_command(click.Context(main), name)
    assert isinstance(found, Command)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_paragraph_examples_and_exit_codes(name: str) -> None:
    taught = command(name)

    assert taught.name == name
    assert len((taught.help or "").split()) > 5
    assert all(line.split()[0:2] == ["lamina", name] for line in _lines(taught))
    assert all(meaning.endswith((".", "?")) for meaning in taught.examples.values())
    assert {0, 2} <= set(taught.exit_codes) <= CODES


def _lines(taught: Command) -> list[str]:
    """Return the examples, without what a shell does around them."""
    return [line.removeprefix('eval "$(') for line in taught.examples]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_has_a_help_text(name: str) -> None:
    options = [one for one in command(name).params if isinstance(one, click.Option)]

    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in ("completion", "schema")]
)
def test_the_common_options_go_with_every_command(name: str) -> None:
    options = {text for param in command(name).params for text in param.opts}

    assert {"--catalog", "--store", "--lock", "--distro"} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_and_exit_codes_are_shown(lamina: Lamina, name: str) -> None:
    ran = lamina(name, "--help")

    assert ran.code == 0
    assert ran.out.startswith(f"Usage: lamina {name} ")
    assert "\nExamples:\n" in ran.out
    assert "\nExit codes:\n" in ran.out
    assert all(f"\n  $ {line}\n" in ran.out for line in command(name).examples)


def test_the_list_of_commands_is_there_without_loading_them(lamina: Lamina) -> None:
    ran = lamina("--help")

    assert [line.split(maxsplit=1) for line in ran.out.split("Commands:\n")[1].splitlines()] == [
        [name, summary] for name, summary in COMMANDS.items()
    ]


def test_without_a_command_the_help_is_shown_and_nothing_is_done(lamina: Lamina) -> None:
    ran = lamina()

    assert ran.code == 2
    assert "Commands:" in ran.err


def test_help_needs_click_only() -> None:
    script = (
        "import sys, lamina.cli\n"
        "try: lamina.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'rich', 'yaml', 'httpx', 'lamina.pipeline'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )

    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - begin

    assert (done.returncode, done.stderr) == (0, "")
    # 0.1 s on an idle machine; the promise is 0.3 s.
    assert seconds < 1
