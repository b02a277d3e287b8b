"""The set-up scripts, against an apt that stands in for the host's."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

APT_GET = """
echo "$@" >>"$LOG"
while read -r word; do [[ $word == update || $word == install ]] && action=$word; done \
    < <(printf '%s\\n' "$@")
if [[ $action == update && -e $LOCK ]]; then
    rm "$LOCK"
    echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)' >&2
    exit 100
fi
[[ $action == install && $* == *$BROKEN* ]] && { echo 'E: disk full' >&2; exit 100; }
exit 0
"""


class Host:
    """Fake commands in a folder that comes first in PATH."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.script = checkout / "scripts/system-packages"
        self.folder = folder
        self.log = folder / "log"
        self.lock = folder / "lock"
        self.environment = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "LOG": str(self.log),
            "LOCK": str(self.lock),
            "BROKEN": "nothing",
        }
        self.command("apt-get", APT_GET)
        self.command("sleep", "exit 0")
        self.user(0)
        self.has()
        self.offers("git", "python3-venv")

    def command(self, name: str, body: str) -> None:
        file = self.folder / name
        file.write_text(f"#!/usr/bin/env bash\n{body}\n")
        file.chmod(0o755)

    def user(self, uid: int) -> None:
        self.command("id", f"echo {uid}")

    def has(self, *packages: str) -> None:
        lines = "".join(f"installed {package}\n" for package in packages)
        self.command("dpkg-query", f"printf %s {shlex.quote(lines)}; exit 1")

    def offers(self, *packages: str) -> None:
        names = " ".join(packages)
        self.command("apt-cache", f'[[ " {names} " == *" $2 "* ]]')

    def run(self, group: str = "python") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.script, group],
            env=self.environment,
            capture_output=True,
            check=False,
            text=True,
        )

    def calls(self) -> list[list[str]]:
        """Return what apt-get was asked for: the action and its packages, without options."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [
            words[words.index(action) :]
            for words in (line.split() for line in lines)
            for action in ("update", "install")
            if action in words
        ]


@pytest.fixture
def host(checkout: Path, tmp_path: Path) -> Host:
    return Host(checkout, tmp_path)


def test_nothing_is_asked_of_apt_when_nothing_is_missing(host: Host) -> None:
    host.has("git", "python3-venv")
    result = host.run()
    assert (result.returncode, result.stdout, host.calls()) == (0, "", [])


def test_only_what_is_missing_is_installed_and_named(host: Host) -> None:
    host.has("git")
    result = host.run()
    assert result.stdout == "system packages: installing python3-venv\n"
    assert host.calls() == [["update"], ["install", "--no-install-recommends", "python3-venv"]]


def test_a_package_that_the_release_does_not_have_is_left_out(host: Host) -> None:
    host.offers("git")
    result = host.run()
    assert result.returncode == 0
    assert "this release has no python3-venv" in result.stdout
    assert host.calls()[-1] == ["install", "--no-install-recommends", "git"]


def test_another_apt_is_waited_for(host: Host) -> None:
    host.lock.touch()
    result = host.run()
    assert result.returncode == 0
    assert "another apt is at work" in result.stdout
    assert [call[0] for call in host.calls()] == ["update", "update", "install"]


def test_a_failed_installation_fails_with_the_words_of_apt(host: Host) -> None:
    host.environment["BROKEN"] = "python3-venv"
    result = host.run()
    assert result.returncode == 1
    assert "E: disk full" in result.stderr


def test_without_root_the_missing_packages_are_named_and_nothing_is_tried(host: Host) -> None:
    host.user(1000)
    result = host.run()
    assert result.returncode == 0
    assert "only root can install them: git python3-venv" in result.stderr
    assert host.calls() == []


def test_continuous_integration_runs_make_test_and_nothing_else(checkout: Path) -> None:
    script = checkout / ".ci/run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text().splitlines() if not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]
