"""The parts that entries of the catalogue are made of: forms that stand in several places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, StrictInt, Tag, with_config

from lamina.catalog.texts import (
    AbsolutePath,
    AccountName,
    Command,
    DistroWord,
    EachOnce,
    Mode,
    PackageName,
    RepositoryName,
    SourcePath,
)

# Unknown keys are faults.
CLOSED = ConfigDict(extra="forbid")

Seconds = Annotated[StrictInt, Field(ge=1, le=86_400)]


def _list_or_map(value: Any) -> str | None:
    if isinstance(value, list):
        return "<list>"
    return "<map>" if isinstance(value, dict) else None


# pydantic reports the tags as parts of an error's location: no key of a file looks like them.
ListOrMap = Discriminator(
    _list_or_map,
    custom_error_type="list_or_map",
    custom_error_message="Input should be a list or a mapping",
)


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """A file of the catalogue that is copied into the image."""

    source: Annotated[SourcePath, Field(description="The file, below the catalogue's `files/`.")]
    path: Annotated[AbsolutePath, Field(description="Where it goes in the image.")]
    mode: Annotated[Mode, Field(description="Its mode, as four octal digits in quotes.")] = "0644"
    owner: Annotated[AccountName, Field(description="The user that owns it.")] = "root"
    group: Annotated[AccountName, Field(description="The group that owns it.")] = "root"


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class HealthcheckForm:
    """A command that tells whether a container works; times in seconds."""

    command: Annotated[Command, Field(description="The command; exit status 0 means healthy.")]
    interval: Annotated[Seconds, Field(description="Seconds from one check to the next.")] = 30
    timeout: Annotated[Seconds, Field(description="Seconds after which a check has failed.")] = 30
    retries: Annotated[
        StrictInt, Field(ge=1, le=1000, description="Failures in a row that mean unhealthy.")
    ] = 3
    start_period: Annotated[
        StrictInt,
        Field(ge=0, le=86_400, description="Seconds at the start in which failures do not count."),
    ] = 5


Healthcheck = Annotated[
    Annotated[Command, Tag("<list>")] | Annotated[HealthcheckForm, Tag("<map>")], ListOrMap
]
Packages = Annotated[tuple[PackageName, ...], EachOnce]
PackagesByDistro = Annotated[
    Annotated[Packages, Tag("<list>")] | Annotated[dict[DistroWord, Packages], Tag("<map>")],
    ListOrMap,
]
Repositories = Annotated[tuple[RepositoryName, ...], EachOnce]
RepositoriesByDistro = Annotated[
    Annotated[Repositories, Tag("<list>")]
    | Annotated[dict[DistroWord, Repositories], Tag("<map>")],
    ListOrMap,
]
