"""The tests of the command line: each in a folder of its own, with nobody's settings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.zoo import fill_store, write_zoo, write_zoo_lock

from lamina.cli import main
from lamina.model.built import Built
from lamina.model.image import ImageId

BUILT = ("zebra-base", "zebra-server", "yak-api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str


Lamina = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and an environment without settings."""
    for name in os.environ:
        if name.startswith(("LAMINA_", "XDG_", "_LAMINA")):
            monkeypatch.delenv(name)
    current = tmp_path / "work"
    current.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(current)
    return current


@pytest.fixture
def lamina(folder: Path) -> Lamina:
    """Run a command line in the folder."""

    def run(*words: str, **environment: str) -> Ran:
        result = CliRunner().invoke(main, words, env=environment, catch_exceptions=False)
        return Ran(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture
def zoo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the zoo's catalogue."""
    write_zoo(folder)
    monkeypatch.setenv("LAMINA_CATALOG", "zoo")
    monkeypatch.setenv("LAMINA_STORE", "store")
    monkeypatch.setenv("LAMINA_ARCHITECTURE", "amd64")
    return folder


@pytest.fixture
def built(zoo: Path) -> Mapping[ImageId, Built]:
    """The zoo locked and built."""
    return fill_store(zoo, write_zoo_lock(zoo), BUILT)


def values(ran: Ran) -> Any:
    """Return the JSON that a command printed."""
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)
