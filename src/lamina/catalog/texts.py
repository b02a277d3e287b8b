"""The texts of catalogue files that have a grammar: each with its rule and its remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from lamina.model.signals import signal_number

FAULT = "lamina"


def fault(message: str, remedy: str) -> PydanticCustomError:
    """Return the error that pydantic reports as `message`, with `remedy` beside it."""
    return PydanticCustomError(FAULT, "{message}", {"message": message, "remedy": remedy})


@dataclass(frozen=True, slots=True)
class Grammar:
    """A rule for a text, as a regular expression that the whole text matches."""

    pattern: str
    what: str  # `an image name`
    remedy: str

    def checked(self, text: str) -> str:
        """Return `text` if it follows the rule."""
        if re.fullmatch(self.pattern, text) is None:
            shown = text if text.isprintable() else repr(text)[1:-1]
            raise fault(f"'{shown}' is not {self.what}", self.remedy)
        return text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check the rule after the type."""
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Show the rule to editors."""
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}


# One part of a path: neither empty nor `.` nor `..`.
_PART = r"(?!\.{1,2}(?:/|$))[^/\x00-\x1f]+"
_WORD = r"[a-z_][a-z0-9_-]{0,31}"

# OCI distribution specification 1.1, section "Pulling manifests": a component of a repository.
ImageName = Annotated[
    str,
    Grammar(
        r"[a-z0-9]+(?:[._-][a-z0-9]+)*",
        "an image name",
        "use lower-case letters and digits, with single '.', '_' or '-' between them",
    ),
]
PackageName = Annotated[
    str,
    Grammar(
        r"[A-Za-z0-9][A-Za-z0-9+._-]*",
        "a package name",
        "name one package, without version, architecture or option",
    ),
]
# What every distribution's useradd takes.
AccountName = Annotated[
    str,
    Grammar(_WORD, "a user or group name", "use lower-case letters, digits, '_' and '-'"),
]
RunAs = Annotated[
    str,
    Grammar(f"{_WORD}(?::{_WORD})?", "a user", "name a user, or a user and a group: 'nova:qemu'"),
]
DistroWord = Annotated[
    str,
    Grammar(
        r"[a-z]+[a-z0-9.-]*",
        "the name of a distribution",
        "write it like 'debian-13', 'debian' or 'deb'",
    ),
]
RepositoryName = Annotated[
    str,
    Grammar(
        r"[a-z0-9]+(?:[._-][a-z0-9]+)*",
        "the name of a repository",
        "use lower-case letters and digits, with single '.', '_' or '-' between them",
    ),
]
VariableName = Annotated[
    str,
    Grammar(
        r"[A-Za-z_][A-Za-z0-9_]*",
        "the name of an environment variable",
        "use letters, digits and '_', no digit first",
    ),
]
AbsolutePath = Annotated[
    str,
    Grammar(
        rf"(?:/{_PART})+",
        "an absolute path",
        "begin with '/', end without one, and leave out '.' and '..'",
    ),
]
SourcePath = Annotated[
    str,
    Grammar(
        rf"{_PART}(?:/{_PART})*",
        "a path below the catalogue's files",
        "write it relative to 'files/', without '.' and '..'",
    ),
]
Mode = Annotated[
    str, Grammar(r"[0-7]{4}", "a file mode", 'write four octal digits in quotes: "0755"')
]
FileName = Annotated[
    str,
    Grammar(_PART, "the name of a file", "write a name without '/': the folder is a single one"),
]
# The texts of config.json, as `kolla_set_configs` takes them: docs/runtime-contract.md.
ConfigPath = Annotated[
    str,
    Grammar(
        r"/(?!(?:.*/)?\.\.(?:/|$))[^\x00-\x1f\x7f]*",
        "an absolute path",
        "begin with '/', and leave out '..'",
    ),
]
ConfigCommand = Annotated[
    str,
    Grammar(
        r"[^\n\r\x00]*\S[^\n\r\x00]*", "a command", "write a program and its arguments in one line"
    ),
]
ConfigOwner = Annotated[
    str,
    Grammar(
        r"[^:/\s]+(?::[^:/\s]+)?", "an owner", "name a user, or a user and a group: 'nova:kolla'"
    ),
]
ConfigMode = Annotated[
    str, Grammar(r"[0-7]{3,4}", "a file mode", 'write it like "0600", in quotes')
]
Port = Annotated[
    str,
    Grammar(
        r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])/(?:tcp|udp|sctp)",
        "a port",
        'write number and protocol: "6379/tcp"',
    ),
]
Line = Annotated[str, Grammar(r"[^\n\r]+", "one line of text", "write a single line")]


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        message = f"'{text}' is not a regular expression: {error}"
        raise fault(message, "put a '\\' before signs that mean themselves") from None
    return text


def _signal(text: str) -> str:
    try:
        signal_number(text)
    except ValueError as error:
        raise fault(str(error), "kill(1) lists them by 'kill -l'") from None
    return text


def _each_once(items: tuple[str, ...]) -> tuple[str, ...]:
    twice = [item for index, item in enumerate(items) if item in items[:index]]
    if twice:
        raise fault(f"'{twice[0]}' stands twice", "delete one of the two")
    return items


Regex = Annotated[str, AfterValidator(_regex)]
SignalName = Annotated[
    str,
    Grammar(r"SIG[A-Z]+[0-9]*(?:[+-][0-9]{1,2})?", "a signal", "write it like 'SIGTERM'"),
    AfterValidator(_signal),
]
EachOnce = AfterValidator(_each_once)
Command = Annotated[tuple[str, ...], Field(min_length=1)]
