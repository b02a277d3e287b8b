"""Passwords are found where container tools keep them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from lamina.errors import NetworkError, UsageError
from lamina.registry.passwords import auth_files, find_password

HOST = "registry.example.org:5000"


def pair(user: str, secret: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


def a_file(folder: Path, **content: object) -> Path:
    file = folder / "auth.json"
    file.write_text(json.dumps(content))
    return file


def a_helper(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program = folder / "docker-credential-proof"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_the_longest_name_that_fits_counts(tmp_path: Path) -> None:
    auths = {
        HOST: pair("all", "1"),
        f"{HOST}/team": pair("team", "2:3"),
        f"{HOST}/team/one": pair("one", "4"),
        f"{HOST}/te": pair("none", "5"),
    }
    file = a_file(tmp_path, auths=auths)

    found = {
        repository: find_password((file,), HOST, repository)
        for repository in ("other/x", "team/x", "team/one", "team/one/x", "team/ones")
    }

    assert {name: one.user for name, one in found.items() if one} == {
        "other/x": "all",
        "team/x": "team",
        "team/one": "one",
        "team/one/x": "one",
        "team/ones": "team",
    }
    assert found["team/x"] is not None
    assert found["team/x"].secret == "2:3"
    assert "2:3" not in repr(found["team/x"])
    assert find_password((file,), "registry.example.org", "team/x") is None


def test_the_first_file_that_knows_the_registry_counts(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    none = tmp_path / "none.json"
    empty = a_file(tmp_path, auths={HOST: {}})
    second = a_file(tmp_path / "second", auths={f"https://{HOST}/v1/": pair("me", "x")})

    found = find_password((none, empty, second), HOST, "any")

    assert found
    assert (found.user, found.source) == ("me", str(second))


@pytest.mark.parametrize("content", [{"credHelpers": {HOST: "proof"}}, {"credsStore": "proof"}])
def test_a_credential_helper_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, object]
) -> None:
    a_helper(
        tmp_path,
        monkeypatch,
        'read -r host; printf \'{"Username":"me","Secret":"of %s"}\' "$host"',
    )

    found = find_password((a_file(tmp_path, **content),), HOST, "any")

    assert found
    assert (found.user, found.secret, found.is_token) == ("me", f"of {HOST}", False)


def test_a_helper_may_give_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_helper(tmp_path, monkeypatch, 'echo \'{"Username":"<token>","Secret":"long"}\'')

    found = find_password((a_file(tmp_path, credsStore="proof"),), HOST, "any")

    assert found
    assert found.is_token


def test_a_helper_that_does_not_know_the_registry_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_helper(tmp_path, monkeypatch, "echo credentials not found in native keychain; exit 1")

    assert find_password((a_file(tmp_path, credsStore="proof"),), HOST, "any") is None


@pytest.mark.parametrize("body", ["echo the keychain is locked >&2; exit 1", "echo no json"])
def test_a_helper_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    a_helper(tmp_path, monkeypatch, body)

    with pytest.raises(NetworkError) as told:
        find_password((a_file(tmp_path, credsStore="proof"),), HOST, "any")

    assert told.value.faults[0].place == "docker-credential-proof"


def test_a_helper_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="docker-credential-absent is not installed"):
        find_password((a_file(tmp_path, credsStore="absent"),), HOST, "any")


@pytest.mark.parametrize(
    "text",
    ["no json", "[]", '{"auths": []}', json.dumps({"auths": {HOST: {"auth": "%%%"}}})],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auth.json"
    file.write_text(text)

    with pytest.raises(UsageError) as told:
        find_password((file,), HOST, "any")

    assert told.value.faults[0].place == str(file)


def test_the_files_are_those_of_container_tools() -> None:
    environment = {"HOME": "/home/me", "XDG_RUNTIME_DIR": "/run/me"}

    assert [str(file) for file in auth_files(environment)] == [
        "/run/me/containers/auth.json",
        "/home/me/.config/containers/auth.json",
        "/home/me/.docker/config.json",
    ]
    others = {**environment, "XDG_CONFIG_HOME": "/c", "DOCKER_CONFIG": "/d"}
    assert [str(file) for file in auth_files(others)][1:] == [
        "/c/containers/auth.json",
        "/d/config.json",
    ]
    assert auth_files({**others, "REGISTRY_AUTH_FILE": "/f"}) == (Path("/f"),)
    assert auth_files({}) == ()
