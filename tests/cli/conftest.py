"""The tests of the command line: each in a folder of its own, with nobody's settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from lamina.cli import main


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
