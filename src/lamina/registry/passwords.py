"""Who one is at a registry: user and password from the files of container tools.

Sources: containers-auth.json(5), and Docker's description of `config.json` and of credential
helpers, programs called `docker-credential-NAME`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina import system
from lamina.errors import LaminaError, NetworkError, UsageError

_TOKEN_USER = "<token>"  # noqa: S105 - what a helper says in place of a user's name
_NOT_FOUND = "credentials not found"  # what every helper says of a registry it does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A user with a password, or a token that stands for both."""

    user: str
    secret: str
    source: str  # the file or the helper that knows it, for messages
    is_token: bool = False  # `secret` is a refresh token, `user` says nothing

    def __repr__(self) -> str:
        """Print without the secret."""
        return f"Password(user={self.user!r}, source={self.source!r})"

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header."""
        pair = f"{self.user}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def auth_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that may know passwords, in the order in which they are asked.

    REGISTRY_AUTH_FILE alone where it is set; else those of containers' tools, then Docker's.
    """
    if given := environment.get("REGISTRY_AUTH_FILE"):
        return (Path(given),)
    home = environment.get("HOME", "")
    config = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    docker = environment.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    candidates = (
        (environment.get("XDG_RUNTIME_DIR"), "containers/auth.json"),
        (config, "containers/auth.json"),
        (docker, "config.json"),
    )
    return tuple(Path(folder) / name for folder, name in candidates if folder)


def find_password(files: tuple[Path, ...], host: str, repository: str) -> Password | None:
    """Return who to be at the registry `host` (with its port) for a repository, if anyone.

    A file may know a repository, a namespace or the whole registry: the longest that fits counts.
    Raises `UsageError` for a file that is there and cannot be read, `NetworkError` when a helper
    fails.
    """
    for file in files:
        document = _read(file)
        for key in _keys(host, repository):
            helper = document.get("credHelpers", {}).get(key)
            if helper and (found := _ask(helper, key)):
                return found
            if found := _stored(document.get("auths", {}), key, file):
                return found
        store = document.get("credsStore")
        if store and (found := _ask(store, host)):
            return found
    return None


def _read(file: Path) -> Mapping[str, Any]:
    remedy = "log in again, or mend the file"
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError.one(
            f"cannot be read: {error.strerror}", place=str(file), remedy=remedy
        ) from error
    except ValueError as error:
        raise UsageError.one("not JSON", place=str(file), remedy=remedy) from error
    if not isinstance(document, dict) or not all(
        isinstance(document.get(part, {}), dict) for part in ("auths", "credHelpers")
    ):
        raise UsageError.one("no file of passwords", place=str(file), remedy=remedy)
    return document


def _keys(host: str, repository: str) -> Iterator[str]:
    """Yield what a file may call the registry, the most special first."""
    parts = repository.split("/")
    for number in range(len(parts), 0, -1):
        yield "/".join((host, *parts[:number]))
    # Docker wrote addresses once.
    yield from (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")


def _stored(auths: Mapping[str, Any], key: str, file: Path) -> Password | None:
    entry = auths.get(key)
    if not isinstance(entry, dict):
        return None
    if token := entry.get("identitytoken"):
        return Password(user="", secret=str(token), source=str(file), is_token=True)
    if not entry.get("auth"):
        return None
    try:
        user, colon, secret = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (binascii.Error, TypeError, ValueError):
        colon = ""
    if not colon:
        raise UsageError.one(
            f"the entry of {key} is not USER:PASSWORD in base64",
            place=str(file),
            remedy="log in again",
        )
    # Docker pads with zero bytes.
    return Password(user=user, secret=secret.rstrip("\0"), source=str(file))


def _ask(helper: str, key: str) -> Password | None:
    """Return what a credential helper knows of a registry."""
    program = f"docker-credential-{helper}"
    done = system.run([program, "get"], given=key)
    if done.code and _NOT_FOUND in (done.output + done.messages).lower():
        return None
    try:
        if done.code:
            raise _failed(program, (done.messages or done.output).strip())
        told = json.loads(done.output)
        user, secret = str(told["Username"]), str(told["Secret"])
    except (KeyError, TypeError, ValueError):
        raise _failed(program, "it does not answer as a credential helper does") from None
    if not secret:
        return None
    return Password(user=user, secret=secret, source=program, is_token=user == _TOKEN_USER)


def _failed(program: str, message: str) -> LaminaError:
    return NetworkError.one(
        message or "it failed", place=program, remedy="does it work when you log in with it?"
    )
