"""What `pip install` brings: the command, and the default catalogue inside the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, made without network from what the environment holds."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel"]
    options = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*pip, *options, "--wheel-dir", str(folder), str(checkout)],
        check=True,
        capture_output=True,
        text=True,
    )
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's files alone."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_the_whole_catalogue(
    installed: Path, committed: Mapping[str, bytes]
) -> None:
    catalog = {
        name.removeprefix("catalog/"): content
        for name, content in committed.items()
        if name.startswith("catalog/")
    }
    inside = installed / "lamina/default_catalog"
    files = (file for file in inside.rglob("*") if file.is_file())
    assert {str(file.relative_to(inside)): file.read_bytes() for file in files} == catalog


def test_the_wheel_holds_the_command_and_the_licence(installed: Path) -> None:
    (information,) = installed.glob("lamina-*.dist-info")
    assert "lamina = lamina.__main__:main" in (information / "entry_points.txt").read_text()
    assert "Apache License" in (information / "licenses/LICENSE").read_text()


def test_the_wheel_holds_the_parts_of_the_storage_page(installed: Path) -> None:
    page = installed / "lamina/storage/page"
    assert all((page / name).read_text() for name in ("page.css", "page.js"))


def test_an_installed_lamina_lists_its_own_catalogue(installed: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed), "XDG_DATA_HOME": str(tmp_path)}
    program = "import lamina; print(lamina.__file__); from lamina.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program, "list", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    module, _, listing = result.stdout.partition("\n")
    assert Path(module).is_relative_to(installed)
    assert "base" in {image["name"] for image in json.loads(listing)}
