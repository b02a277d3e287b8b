"""The pinned Python packages: complete, hashed, free of addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

FILES = ("requirements.txt", "requirements-dev.txt")


def normal(name: str) -> str:
    """Return a package's name in the spelling that an index uses."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(file: Path) -> list[str]:
    """Return the requirements of a file, each with its hashes on one line."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def pins(file: Path) -> dict[str, str]:
    """Return the pinned versions of a file by name."""
    return {normal(name): version for name, version in map(_pin, entries(file))}


def _pin(entry: str) -> tuple[str, str]:
    match = re.match(r"([\w.-]+)==(\S+)", entry)
    assert match, f"not pinned: {entry}"
    return match[1], match[2]


def declared(checkout: Path, *, dev: bool) -> set[str]:
    """Return the names of the packages that pyproject.toml asks for."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"]
    if dev:
        wanted = wanted + project["dependency-groups"]["dev"]
    return {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in wanted}


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_has_one_version_and_its_hashes(checkout: Path, name: str) -> None:
    lines = entries(checkout / name)
    assert lines
    assert [
        line for line in lines if not re.search(r"==\S+ .*--hash=sha256:[0-9a-f]{64}", line)
    ] == []


@pytest.mark.parametrize("name", FILES)
def test_the_requirements_name_no_index(checkout: Path, name: str) -> None:
    text = (checkout / name).read_text()
    assert not re.search(r"://|--(extra-)?index|--find-links|--default-index", text)


@pytest.mark.parametrize(("name", "dev"), [(FILES[0], False), (FILES[1], True)])
def test_every_declared_dependency_is_pinned(checkout: Path, name: str, *, dev: bool) -> None:
    assert declared(checkout, dev=dev) - pins(checkout / name).keys() == set()


def test_lamina_is_developed_with_the_versions_it_runs_with(checkout: Path) -> None:
    runtime, development = (pins(checkout / name) for name in FILES)
    assert runtime.items() <= development.items()
