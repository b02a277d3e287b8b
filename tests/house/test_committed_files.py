"""What no committed file may hold: names of this host's registries, paths of this machine, bulk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

LARGE = 1_000_000  # bytes
STANDARD_FOLDERS = {
    *("bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root"),
    *("run", "sbin", "srv", "sys", "tmp", "usr", "var"),
}


def registry_hosts(texts: Iterable[str]) -> set[str]:
    """Return the hosts named by addresses in configuration texts, this machine's own aside."""
    hosts = {
        host.rpartition("@")[2].partition(":")[0].lower()
        for text in texts
        for line in text.splitlines()
        if not line.lstrip().startswith("#")
        for host in re.findall(r"https?://([^/\s\"',\]]+)", line)
    }
    return {host for host in hosts if "." in host and not host.startswith("127.")}


def registry_configuration() -> Iterable[str]:
    """Yield how apt, pip, uv and npm are configured on this host."""
    apt, uv = Path("/etc/apt"), Path("uv/uv.toml")
    files = [apt / "sources.list", Path("/etc") / uv, Path.home() / ".config" / uv]
    files += (apt / "sources.list.d").glob("*.list")
    files += (apt / "sources.list.d").glob("*.sources")
    yield from (file.read_text() for file in files if file.is_file())
    yield from (value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_")))
    commands = [[sys.executable, "-m", "pip", "config", "list"]]
    if shutil.which("npm"):
        commands.append(["npm", "config", "get", "registry"])
    for command in commands:
        yield subprocess.run(command, capture_output=True, check=True, text=True).stdout


def machine_folder(checkout: Path) -> str:
    """Return the part of the checkout's path that can only mean this machine."""
    first = checkout.parts[1]
    return str(checkout) if first in STANDARD_FOLDERS else f"/{first}/"


def rooted(path: str) -> str:
    """Return a pattern for an absolute path, not for the end of another one."""
    return r"(?<![\w.$})-])" + re.escape(path)


def mentions(committed: Mapping[str, bytes], pattern: str) -> list[str]:
    """Return the lines, as FILE:LINE: TEXT, in which the pattern is found."""
    return [
        f"{name}:{number}: {line}"
        for name, content in committed.items()
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1)
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("deb http://mirror.example.net/debian trixie main", {"mirror.example.net"}),
        ("deb [arch=amd64] https://mirror.example.net:8080/debian x y", {"mirror.example.net"}),
        (
            "URIs: https://a.example.net/x https://b.example.net/y",
            {"a.example.net", "b.example.net"},
        ),
        ("# see http://snapshot.example.net/", set()),
        ("global.index-url='https://me:secret@pypi.example.net/simple'", {"pypi.example.net"}),
        ("http://localhost:5000/ http://127.0.0.1:5000/ file:///srv/wheels", set()),
    ],
)
def test_a_registry_is_known_by_its_address(text: str, hosts: set[str]) -> None:
    assert registry_hosts([text]) == hosts


def test_no_committed_file_names_a_package_registry_of_this_host(
    committed: Mapping[str, bytes],
) -> None:
    hosts = registry_hosts(registry_configuration())
    found = [line for host in sorted(hosts) for line in mentions(committed, re.escape(host))]
    assert found == [], "take the address from the host's configuration"


@pytest.mark.parametrize(
    ("checkout", "folder"),
    [
        ("/home/me/src/lamina", "/home/me/src/lamina"),
        ("/builds/team/lamina", "/builds/"),
    ],
)
def test_a_folder_that_debian_does_not_have_means_this_machine(checkout: str, folder: str) -> None:
    assert machine_folder(Path(checkout)) == folder


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("see /builds/team/lamina", True),
        ('path = "/builds/x"', True),
        ("PATH=/usr/bin:/builds/bin", True),
        ("scratch/builds/x", False),
        ("${scratch}/builds/x", False),
        ("/var/builds/x", False),
    ],
)
def test_a_path_of_this_machine_starts_at_its_root(line: str, *, found: bool) -> None:
    files = {"notes.md": f"first\n{line}\n".encode()}
    expected = [f"notes.md:2: {line}"] if found else []
    assert mentions(files, rooted("/builds/")) == expected


def test_no_committed_file_holds_a_path_of_this_machine(
    checkout: Path, committed: Mapping[str, bytes]
) -> None:
    assert mentions(committed, rooted(machine_folder(checkout))) == []


def test_no_committed_file_is_large(committed: Mapping[str, bytes]) -> None:
    assert [name for name, content in committed.items() if len(content) > LARGE] == []


def test_the_committed_files_are_found(committed: Mapping[str, bytes]) -> None:
    assert {"Makefile", "pyproject.toml", "tests/house/conftest.py"} <= set(committed)
