"""Every command is documented: in the README, and in its own help."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from lamina.cli import COMMANDS, main


def test_the_readme_tells_every_command_in_the_words_of_its_help(checkout: Path) -> None:
    readme = (checkout / "README.md").read_text()
    rows = re.findall(r"^\| `lamina ([a-z]+)` \| (.*) \|$", readme, flags=re.MULTILINE)
    assert rows == list(COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_flag_has_a_help_text(name: str) -> None:
    with click.Context(main) as context:
        command = main.get_command(context, name)
    assert command is not None
    assert command.help
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []
