"""What somebody finds who has never seen lamina: help that is true."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lamina import settings
from lamina.catalog import default_folder, load_catalog
from lamina.cli import COMMANDS, faults, main
from lamina.cli.command import Command
from lamina.model.catalog import Catalog
from lamina.model.selection import select

EXAMPLES = [
    (name, example)
    for name in COMMANDS
    if isinstance(command := main.get_command(click.Context(main), name), Command)
    for example in command.examples
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog((default_folder(),), "debian-13", architecture="amd64")


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_the_examples_of_the_help_can_be_typed(
    name: str,
    example: str,
    catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "digests.yaml").touch()  # what examples count on
    monkeypatch.chdir(tmp_path)
    # As a shell takes them: without pipes, redirections and what stands around.
    typed = re.sub(r'^eval "\$\((.*)\)"$', r"\1", example).partition(" | ")[0].partition(" > ")[0]
    command = main.get_command(click.Context(main), name)
    assert command is not None

    given = command.make_context(name, shlex.split(typed)[2:]).params

    images = given.get("terms") or ([given["image"]] if "image" in given else [])
    assert select(catalog, tuple(images))


def test_the_help_tells_every_variable_and_every_key_of_the_settings() -> None:
    told = " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())

    for module in (settings, faults):
        names = set(re.findall(r"\bLAMINA_[A-Z]+", Path(str(module.__file__)).read_text()))
        assert {name for name in names if name not in told} == set()
    keys = re.search(r"lamina\.toml in the current folder \(([^)]*)\)", told)
    assert keys is not None
    assert keys[1].replace(",", "").split() == [key.name for key in fields(settings._File)]
