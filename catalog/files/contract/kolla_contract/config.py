"""config.json, read once: every key's type and grammar, and nothing that needs the file system."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from kolla_contract.faults import ContractError, Fault
from kolla_contract.table import Table, WrongError

SIZE_LIMIT = 1 << 20  # bytes; what deployments write is some thousand

_FILE_KEYS = ("source", "dest", "owner", "perm", "optional", "merge", "preserve_properties")
_MADE_KEYS = ("path", "owner", "perm")
_PERMISSION_KEYS = ("path", "owner", "perm", "recurse", "exclude")


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """A user, and a group if it is not the user's own."""

    user: str
    group: str | None = None

    def __str__(self) -> str:
        """Print as it is written in config.json."""
        return self.user if self.group is None else f"{self.user}:{self.group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One entry of `config_files`; without an owner and a mode, those of the source are kept."""

    place: str
    source: str  # absolute, perhaps a glob
    dest: str  # absolute
    into: bool = False  # below `dest`, by the source's own name
    owner: Owner | None = None
    mode: int | None = None
    optional: bool = False
    merge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """One entry of `directories` or `files`: what is made if it is not there, and is given away."""

    place: str
    path: str  # absolute, and no glob
    directory: bool  # or else a file
    owner: Owner
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One entry of `permissions`; what is None stays as it is."""

    place: str
    path: str  # absolute, perhaps a glob
    owner: Owner | None = None
    mode: int | None = None
    recurse: bool = False
    exclude: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that config.json says; `notes` are about what it says and is ignored."""

    command: str
    files: tuple[ConfigFile, ...] = ()
    needed: tuple[Needed, ...] = ()
    permissions: tuple[Permission, ...] = ()
    notes: tuple[Fault, ...] = ()


def parse(content: bytes) -> Config:
    """Return the configuration that `content` spells; raise `ContractError` with all its faults."""
    table = Table(raw=_load(content))
    command = table.text("command", _command)
    files = [_file(entry) for entry in table.tables("config_files")]
    directories = [_needed(entry, directory=True) for entry in table.tables("directories")]
    empty = [_needed(entry, directory=False) for entry in table.tables("files")]
    permissions = [_permission(entry) for entry in table.tables("permissions")]
    table.ignore_others(("command", "config_files", "directories", "files", "permissions"))
    ContractError.raise_all(table.faults)
    return Config(
        command=command or "",
        files=tuple(file for file in files if file),
        needed=tuple(needed for needed in (*directories, *empty) if needed),
        permissions=tuple(permission for permission in permissions if permission),
        notes=tuple(table.notes),
    )


def _load(content: bytes) -> dict[str, Any]:
    if len(content) > SIZE_LIMIT:
        raise ContractError(Fault("config.json", f"has more than {SIZE_LIMIT} bytes"))
    try:
        value = json.loads(content.decode(), object_pairs_hook=_object)
    except RecursionError:
        raise ContractError(Fault("config.json", "is nested too deeply")) from None
    except ValueError as error:
        raise ContractError(Fault("config.json", f"is not JSON: {error}")) from None
    if not isinstance(value, dict):
        raise ContractError(Fault("config.json", "is not an object"))
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as an object, in which no key may hide another."""
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise WrongError(f"{key!r} stands twice in one object")
        table[key] = value
    return table


def _file(table: Table) -> ConfigFile | None:
    preserve = table.flag("preserve_properties")
    source = table.text("source", _path)
    dest = table.text("dest", _dest)
    owner = table.text("owner", _owner, required=not preserve)
    mode = table.text("perm", _mode, required=not preserve)
    optional, merge = table.flag("optional"), table.flag("merge")
    table.ignore_others(_FILE_KEYS)
    if source is None or dest is None:
        return None
    path, into = dest
    if path == "/" and not into:
        table.fault("the root directory cannot be replaced")
    return ConfigFile(
        place=table.place,
        source=source,
        dest=path,
        into=into,
        owner=None if preserve else owner,
        mode=None if preserve else mode,
        optional=optional,
        merge=merge,
    )


def _needed(table: Table, *, directory: bool) -> Needed | None:
    path = table.text("path", _plain_path)
    owner = table.text("owner", _owner)
    mode = table.text("perm", _mode)
    table.ignore_others(_MADE_KEYS)
    if path is None or owner is None or mode is None:
        return None
    return Needed(place=table.place, path=path, directory=directory, owner=owner, mode=mode)


def _permission(table: Table) -> Permission | None:
    path = table.text("path", _path)
    owner = table.text("owner", _owner, required=False)
    mode = table.text("perm", _mode, required=False)
    recurse = table.flag("recurse")
    exclude = table.texts("exclude", re.compile)
    table.ignore_others(_PERMISSION_KEYS)
    if not table.raw.keys() & {"owner", "perm"}:
        table.fault("neither 'owner' nor 'perm' is there")
    if path is None:
        return None
    return Permission(
        place=table.place, path=path, owner=owner, mode=mode, recurse=recurse, exclude=exclude
    )


def _command(text: str) -> str:
    if not text.strip():
        raise WrongError("is empty")
    if "\0" in text:
        raise WrongError("holds a NUL")
    return text.strip()


def _path(text: str) -> str:
    """Return an absolute path in its one spelling."""
    if not text.startswith("/"):
        raise WrongError(f"{text!r} is not an absolute path")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise WrongError(f"{text!r} holds a control character")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise WrongError(f"{text!r} leads upwards by '..'")
    return "/" + "/".join(parts)


def _plain_path(text: str) -> str:
    path = _path(text)
    if path == "/":
        raise WrongError("the root directory is there already")
    if any(sign in path for sign in "*?["):
        raise WrongError(f"{text!r} is a glob, and no path can be made of it")
    return path


def _dest(text: str) -> tuple[str, bool]:
    return _path(text), text.endswith("/")


def _mode(text: str) -> int:
    return int(_matched(text, r"[0-7]{3,4}", 'is not a mode: write it like "0600"'), 8)


def _owner(text: str) -> Owner:
    word = r"[^:/\s\x00-\x1f]+"
    user, _, group = _matched(
        text, f"{word}(:{word})?", 'is not an owner: write "USER" or "USER:GROUP"'
    ).partition(":")
    return Owner(user, group or None)


def _matched(text: str, pattern: str, message: str) -> str:
    if re.fullmatch(pattern, text) is None:
        raise WrongError(f"{text!r} {message}")
    return text
