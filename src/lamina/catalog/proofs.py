"""The forms of an image's tests: a command that decides, or a start as a deployment makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from pydantic import Discriminator, Field, StrictBool, StrictInt, Tag, with_config

from lamina.catalog.parts import CLOSED, Seconds
from lamina.catalog.texts import (
    AccountName,
    Command,
    ConfigCommand,
    ConfigMode,
    ConfigOwner,
    ConfigPath,
    FileName,
    Regex,
    VariableName,
    fault,
)
from lamina.model.contract import CONFIG

Output = Annotated[
    Regex, Field(description="A regular expression to be found in what `run` prints.")
]
ExitStatus = Annotated[
    StrictInt, Field(ge=0, le=255, description="The exit status that `run` ends with.")
]
Loopback = Annotated[StrictBool, Field(description="Whether 127.0.0.1 can be used.")]
Owner = Annotated[ConfigOwner | None, Field(description="`user` or `user:group` that gets it.")]
Perm = Annotated[ConfigMode | None, Field(description="The mode in octal, in quotes.")]


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class CommandProofForm:
    """One proof that the image's program works, run without network in a throw-away copy."""

    run: Annotated[Command, Field(description="The command whose end decides.")]
    start: Annotated[
        Command | None,
        Field(description="A daemon that runs meanwhile; `run` is tried again until it succeeds."),
    ] = None
    stdout: Output = ""
    exit: ExitStatus = 0
    user: Annotated[
        AccountName | None, Field(description="Who runs it; the image's own user if absent.")
    ] = None
    loopback: Loopback = False
    timeout: Annotated[Seconds, Field(description="Seconds after which it has failed.")] = 60


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFileForm:
    """One of `config_files` in config.json: what `kolla_set_configs` copies."""

    source: Annotated[ConfigPath, Field(description="The file, directory or glob, absolute.")]
    dest: Annotated[
        ConfigPath, Field(description="Where it goes; with `/` at its end, the directory.")
    ]
    owner: Owner = None
    perm: Perm = None
    optional: Annotated[StrictBool, Field(description="The source may be missing.")] = False
    merge: Annotated[StrictBool, Field(description="A directory keeps what is in it already.")] = (
        False
    )
    preserve_properties: Annotated[
        StrictBool, Field(description="Owner and mode are the source's.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse an entry without an owner or a mode."""
        if not self.preserve_properties and (self.owner is None or self.perm is None):
            raise fault(
                f"the file '{self.source}' lacks 'owner' or 'perm'",
                "add them, or 'preserve_properties: true'",
            )


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class NeededForm:
    """One of `directories` or `files` in config.json: what is made if it is not there."""

    path: Annotated[ConfigPath, Field(description="The path, absolute and no glob.")]
    owner: Annotated[ConfigOwner, Field(description="`user` or `user:group` that gets it.")]
    perm: Annotated[ConfigMode, Field(description="The mode in octal, in quotes.")]

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if any(sign in self.path for sign in "*?["):
            raise fault(f"'{self.path}' is a glob", "write the path of one directory or file")


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionForm:
    """One of `permissions` in config.json: what `kolla_set_configs` gives to others."""

    path: Annotated[ConfigPath, Field(description="The path or glob, absolute.")]
    owner: Owner = None
    perm: Perm = None
    recurse: Annotated[StrictBool, Field(description="All below it as well.")] = False
    exclude: Annotated[
        tuple[Regex, ...],
        Field(description="Regular expressions; a path in which one is found stays as it is."),
    ] = ()

    def __post_init__(self) -> None:
        """Refuse an entry that changes nothing."""
        if self.owner is None and self.perm is None:
            raise fault(f"'{self.path}' has neither 'owner' nor 'perm'", "add one of them")


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigForm:
    """config.json, as a deployment mounts it."""

    command: Annotated[
        ConfigCommand, Field(description="What the container runs, split at blanks.")
    ]
    config_files: Annotated[
        tuple[ConfigFileForm, ...], Field(description="Files that are copied before.")
    ] = ()
    directories: Annotated[
        tuple[NeededForm, ...], Field(description="Directories that are made if not there.")
    ] = ()
    files: Annotated[
        tuple[NeededForm, ...], Field(description="Empty files that are made if not there.")
    ] = ()
    permissions: Annotated[
        tuple[PermissionForm, ...], Field(description="Owners and modes that are set before.")
    ] = ()


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProofForm:
    """One start of the image as a deployment makes it, without network in a throw-away copy."""

    config: Annotated[
        ConfigForm, Field(description="The content of config.json, which is mounted.")
    ]
    files: Annotated[
        dict[FileName, str], Field(description="Texts of files mounted beside config.json.")
    ] = field(default_factory=dict)
    environment: Annotated[
        dict[VariableName, str],
        Field(description="Variables, beside KOLLA_CONFIG_STRATEGY=COPY_ALWAYS."),
    ] = field(default_factory=dict)
    bootstrap: Annotated[
        dict[VariableName, str] | None,
        Field(
            min_length=1,
            description="Variables of a first run, which must end by itself with exit status 0. "
            "What it writes is there for the real one.",
        ),
    ] = None
    prepare: Annotated[
        Command | None,
        Field(
            description="A command run as root before, for what a deployment has around it: an "
            "interface, a neighbour. What it starts goes on."
        ),
    ] = None
    healthcheck: Annotated[
        Command | None,
        Field(
            description="The command that tells whether the service works, tried again until it "
            "does; the image's own if absent."
        ),
    ] = None
    run: Annotated[
        Command | None,
        Field(description="A command that asks the service, tried again until it succeeds."),
    ] = None
    stdout: Output = ""
    exit: ExitStatus = 0
    user: Annotated[
        AccountName | None, Field(description="Who runs `run`; the image's own user if absent.")
    ] = None
    runs_as: Annotated[
        AccountName | None,
        Field(description="Who the main process is to be; the image's own user if absent."),
    ] = None
    stop: Annotated[
        Seconds, Field(description="Seconds after the stop signal in which it must have ended.")
    ] = 10
    loopback: Loopback = False
    timeout: Annotated[
        Seconds, Field(description="Seconds after which a phase of the test has failed.")
    ] = 60

    def __post_init__(self) -> None:
        """Refuse what has no effect."""
        if CONFIG in self.files:
            raise fault(f"'{CONFIG}' stands in 'files'", "write it in 'config'")
        idle = [key for key in ("stdout", "exit", "user") if getattr(self, key)]
        if idle and self.run is None:
            raise fault(f"'{idle[0]}' stands there without 'run'", "add 'run', or delete it")


_COMMANDS_KEYS = {key.name for key in fields(CommandProofForm)}
_SERVICES_KEYS = {key.name for key in fields(ServiceProofForm)} - _COMMANDS_KEYS


def _command_or_service(value: Any) -> str:
    # A test with any key of a service is one whose 'config' was forgotten.
    service = isinstance(value, dict) and not _SERVICES_KEYS.isdisjoint(value)
    return "<ServiceProofForm>" if service else "<CommandProofForm>"


ProofForm = Annotated[
    Annotated[CommandProofForm, Tag("<CommandProofForm>")]
    | Annotated[ServiceProofForm, Tag("<ServiceProofForm>")],
    Discriminator(_command_or_service),
]


def config_text(form: ConfigForm) -> str:
    """Return the text of config.json, with the keys that the form has."""
    content = {
        "command": form.command,
        "config_files": [dict(_written(entry)) for entry in form.config_files],
        "directories": [dict(_written(entry)) for entry in form.directories],
        "files": [dict(_written(entry)) for entry in form.files],
        "permissions": [dict(_written(entry)) for entry in form.permissions],
    }
    written = {key: value for key, value in content.items() if value}
    return json.dumps(written, indent=4, ensure_ascii=False) + "\n"


def _written(entry: ConfigFileForm | NeededForm | PermissionForm) -> Iterator[tuple[str, Any]]:
    for key in fields(entry):
        value = getattr(entry, key.name)
        if value:
            yield key.name, value
