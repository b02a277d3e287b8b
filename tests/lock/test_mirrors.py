"""A repository's address comes from the settings, else from this host's apt."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import UsageError
from lamina.mirrors import Mirrors, find_mirrors

HOST = {
    "sources.list": """\
# deb http://commented.example/debian trixie main
deb [arch=amd64 signed-by=/x.gpg] http://one.example/debian/ trixie main
deb-src http://source.example/debian-source trixie main
deb cdrom:[Debian]/ubuntu trixie main
""",
    "sources.list.d/a.list": "deb https://list.example/ceph trixie main\n",
    "sources.list.d/b.sources": """\
Types: deb deb-src
URIs: https://two.example/debian https://two.example/mirror/debian-security
Suites: trixie
Components: main

Enabled: no
Types: deb
URIs: https://off.example/disabled
Suites: trixie
Components: main

Types: deb-src
URIs: https://two.example/only-source
Suites: trixie
Components: main
""",
}


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    for name, text in HOST.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("debian", "http://one.example/debian"),
        ("debian-security", "https://two.example/mirror/debian-security"),
        ("ceph", "https://list.example/ceph"),
    ],
)
def test_the_hosts_apt_is_asked_where_the_settings_say_nothing(
    apt: Path, repository: str, url: str
) -> None:
    assert find_mirrors([repository], {}, apt=apt).urls == {repository: url}


@pytest.mark.parametrize(
    "repository", ["debian-source", "disabled", "only-source", "ubuntu", "bian"]
)
def test_what_the_host_does_not_use_is_no_mirror(apt: Path, repository: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_mirrors([repository], {}, apt=apt)
    (fault,) = caught.value.faults
    assert fault.message == f"no mirror is known for the repository {repository}"
    assert f"[mirrors] {repository} =" in fault.remedy


def test_a_setting_beats_the_hosts_apt(apt: Path) -> None:
    mirrors = find_mirrors(["debian"], {"debian": "file:///srv/mirror/"}, apt=apt)
    assert mirrors.urls == {"debian": "file:///srv/mirror"}


def test_a_host_without_apt_needs_settings_only(tmp_path: Path) -> None:
    settings = {"debian": "https://mirror.example/debian"}
    assert find_mirrors(["debian"], settings, apt=tmp_path / "none").urls == settings


def test_every_repository_without_a_mirror_is_told_at_once(tmp_path: Path) -> None:
    settings = {"b": "ftp://old.example/b", "c": "c"}
    with pytest.raises(UsageError) as caught:
        find_mirrors(["a", "b", "c"], settings, apt=tmp_path)
    assert len(caught.value.faults) == 3


def test_the_catalogues_address_counts_where_the_settings_say_nothing(apt: Path) -> None:
    usual = {"github": "https://github.example", "debian": "https://usual.example/debian"}
    names = ["github", "debian", "ceph"]
    assert find_mirrors(names, {}, usual=usual, apt=apt).urls == {
        "ceph": "https://list.example/ceph",
        "debian": "https://usual.example/debian",
        "github": "https://github.example",
    }
    settings = {"github": "https://intern.example/github/"}
    mirrors = find_mirrors(["github"], settings, usual=usual, apt=apt)
    assert mirrors.urls == {"github": "https://intern.example/github"}


def test_a_folder_is_an_address(tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    mirrors = find_mirrors(["github"], {"github": f"{folder}/"}, apt=tmp_path)
    assert mirrors.url("github", "a/b") == f"{folder.as_uri()}/a/b"


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("pool/c/cron_3.0+b1~x_amd64.deb", "https://m.example/d/pool/c/cron_3.0+b1~x_amd64.deb"),
        ("pool/a 1%3a2.deb", "https://m.example/d/pool/a%201%253a2.deb"),
        ("pool/a?b#c.deb", "https://m.example/d/pool/a%3Fb%23c.deb"),
    ],
)
def test_a_path_becomes_an_address(path: str, url: str) -> None:
    assert Mirrors(urls={"debian": "https://m.example/d"}).url("debian", path) == url
