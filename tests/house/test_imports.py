"""The rules of import hold, and the contract that says so can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def copy(checkout: Path, tmp_path: Path) -> Path:
    """A copy of the package and its contract, free to be broken."""
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(checkout / "src", tmp_path / "src", ignore=unwanted)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        check=False,
        text=True,
    )


def test_every_room_imports_only_the_rooms_below_it(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("model/digest.py", "import lamina.store"),
        ("errors.py", "from lamina.model.digest import Digest"),
        ("lock/__init__.py", "import lamina.build"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_refused(copy: Path, module: str, line: str) -> None:
    with (copy / "src/lamina" / module).open("a") as file:
        file.write(f"\n{line}\n")
    result = lint_imports(copy)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout


def test_a_room_that_the_contract_does_not_know_is_refused(copy: Path) -> None:
    (copy / "src/lamina/cellar.py").write_text('"""A room of its own."""\n')
    result = lint_imports(copy)
    assert result.returncode == 1
    assert "lamina.cellar" in result.stdout
