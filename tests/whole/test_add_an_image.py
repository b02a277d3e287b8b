"""docs/add-an-image.md, followed to the letter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.conftest import AS_INSTALLED
from tests.whole.conftest import Fleet
from tests.whole.transcript import Command, File, differences, steps

DOCUMENT = Path(__file__).parents[2] / "docs" / "add-an-image.md"
SHOWN = "/srv/fleet"  # where the reader is


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Variables that give podman and skopeo a storage of their own, and containers no network."""
    storage, configuration = tmp_path / "storage.conf", tmp_path / "containers.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{tmp_path}/containers"\n'
        f'runroot = "{tmp_path}/running"\n'
    )
    configuration.write_text(
        '[engine]\nruntime = "runc"\n[containers]\nnetns = "none"\n'
        'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
    )
    variables = {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(configuration)}
    yield variables
    subprocess.run(
        ["podman", "rm", "--all", "--force", "--time", "0"],
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
    )


@pytest.mark.real
def test_whoever_follows_the_page_gets_what_it_shows(
    fleet: Fleet, engine: Mapping[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "fleet"
    folder.mkdir()
    shutil.copy(fleet.workshop.lock, folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "lamina").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lamina "$@"\n')
    (programs / "lamina").chmod(0o755)
    environment = {
        **AS_INSTALLED,
        **engine,
        "LAMINA_STORE": str(fleet.workshop.store),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    for step in steps(DOCUMENT.read_text()):
        match step:
            case File():
                (folder / step.path).parent.mkdir(parents=True, exist_ok=True)
                (folder / step.path).write_text(step.text)
            case Command():
                done = subprocess.run(
                    ["bash", "-c", step.line],
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    timeout=300,
                )
                printed = done.stdout.replace(str(folder), SHOWN)
                assert done.returncode == 0, f"$ {step.line}\n{printed}"
                assert differences(step.printed, printed) == [], f"$ {step.line}\n{printed}"


def test_the_page_shows_files_and_commands() -> None:
    found = list(steps(DOCUMENT.read_text()))

    files = [step.path for step in found if isinstance(step, File)]
    commands = [step.line.split()[:2] for step in found if isinstance(step, Command)]
    assert files == [
        "lamina.toml",
        "mine/infra/webfs.yaml",
        "config/config.json",
        "mine/users.yaml",
        "mine/files/webfs/index.html",
        "mine/infra/webfs.yaml",
        "mine/infra/memcached.yaml",
    ]
    assert {"lock", "build", "test", "run", "export", "plan", "docs"} <= {
        command[1] for command in commands
    }


def test_ten_lines_are_ten_lines() -> None:
    first = next(
        step
        for step in steps(DOCUMENT.read_text())
        if isinstance(step, File) and step.path.endswith(".yaml")
    )
    assert len(first.text.splitlines()) == 10


@pytest.mark.parametrize(
    ("expected", "printed", "faults"),
    [
        (("a", "b"), "a\nb\n", []),
        (("built after 5.0 s",), "built after 1 min 12 s\n", []),
        (("redis  built  3 s",), "redis   built      12.5 s\n", []),
        (("...", "b"), "x\ny\nb\n", []),
        (("a", "..."), "a\n", []),
        (("a", "...", "c"), "a\nb\nc\n", []),
        (("a",), "", ["not printed in its turn: a"]),
        (("a",), "a\nb\n", ["not expected: b"]),
        ((), "b\n", ["not expected: b"]),
        (("b",), "a\nb\n", ["not printed in its turn: b", "not expected: a", "not expected: b"]),
        (("...", "b", "a"), "a\nb\n", ["not printed in its turn: a"]),
        (
            ("1 built",),
            "1 failed\n",
            ["not printed in its turn: 1 built", "not expected: 0 failed"],
        ),
    ],
)
def test_what_is_printed_is_compared_line_by_line(
    expected: tuple[str, ...], printed: str, faults: list[str]
) -> None:
    assert differences(expected, printed) == faults
