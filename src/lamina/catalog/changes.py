"""How a catalogue laid over another changes an image: append, remove, replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Discriminator, Field, Tag, with_config

from lamina.catalog.artifact_parts import ArtifactForm
from lamina.catalog.parts import (
    CLOSED,
    FileForm,
    Healthcheck,
)
from lamina.catalog.proofs import CommandProofForm, ProofForm, ServiceProofForm
from lamina.catalog.texts import (
    AbsolutePath,
    AccountName,
    DistroWord,
    ImageName,
    Line,
    PackageName,
    Port,
    RepositoryName,
    RunAs,
    SignalName,
    VariableName,
    fault,
)
from lamina.model.cadence import Cadence
from lamina.model.image import Kind, Type

T = TypeVar("T")
K = TypeVar("K", bound=str)
V = TypeVar("V")


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ListChange(Generic[T]):
    """A change of a list."""

    append: Annotated[tuple[T, ...], Field(description="Items to put behind the others.")] = ()
    remove: Annotated[
        tuple[str, ...],
        Field(
            description="Items to take out; a file by its `path`, an artifact by its `name`, a "
            "test by its command line, or by that in its `config`."
        ),
    ] = ()
    replace: Annotated[
        tuple[T, ...] | None, Field(description="Items to have instead of all others.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse `replace` beside another change."""
        _check_alone(self)

    def missing(self, items: tuple[T, ...]) -> tuple[str, ...]:
        """Return what is to be removed but is not among `items`."""
        names = {called(item) for item in items}
        return tuple(name for name in self.remove if name not in names)

    def applied(self, items: tuple[T, ...]) -> tuple[T, ...]:
        """Return `items` with the change; what is there already is not appended again."""
        if self.replace is not None:
            return self.replace
        kept = tuple(item for item in items if called(item) not in self.remove)
        return (*kept, *(item for item in self.append if item not in kept))


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class MapChange(Generic[K]):
    """A change of a mapping to texts."""

    append: Annotated[dict[K, str], Field(description="Keys to add, or to give another value.")] = (
        field(default_factory=dict)
    )
    remove: Annotated[tuple[str, ...], Field(description="Keys to take out.")] = ()
    replace: Annotated[
        dict[K, str] | None, Field(description="Keys to have instead of all others.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse `replace` beside another change."""
        _check_alone(self)

    def missing(self, items: Mapping[str, str]) -> tuple[str, ...]:
        """Return what is to be removed but is not among `items`."""
        return tuple(name for name in self.remove if name not in items)

    def applied(self, items: Mapping[str, str]) -> dict[str, str]:
        """Return `items` with the change."""
        if self.replace is not None:
            return dict(self.replace.items())
        kept = {name: value for name, value in items.items() if name not in self.remove}
        kept.update(self.append.items())
        return kept


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange(Generic[V]):
    """A change of a single value."""

    replace: Annotated[V, Field(description="The value to have instead.")]


def _is_list_change(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    return "<list>" if {"append", "remove", "replace"} & set(value) else "<map>"


_ListOrByDistro = Discriminator(
    _is_list_change,
    custom_error_type="no_change",
    custom_error_message="Input should be a mapping with a change",
)
PackagesChange = Annotated[
    Annotated[ListChange[PackageName], Tag("<list>")]
    | Annotated[dict[DistroWord, ListChange[PackageName]], Tag("<map>")],
    _ListOrByDistro,
]
RepositoriesChange = Annotated[
    Annotated[ListChange[RepositoryName], Tag("<list>")]
    | Annotated[dict[DistroWord, ListChange[RepositoryName]], Tag("<map>")],
    _ListOrByDistro,
]


ArtifactsChange = Annotated[
    Annotated[ListChange[ArtifactForm], Tag("<list>")]
    | Annotated[dict[DistroWord, ListChange[ArtifactForm]], Tag("<map>")],
    _ListOrByDistro,
]


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeForm:
    """Changes to the fields of an image; every field of the same name is meant."""

    parent: Annotated[ValueChange[ImageName] | None, Field(description="Another parent.")] = None
    kind: Annotated[ValueChange[Kind] | None, Field(description="Another kind.")] = None
    types: Annotated[ListChange[Type] | None, Field(description="Other types.")] = None
    summary: Annotated[ValueChange[Line] | None, Field(description="Another summary.")] = None
    aliases: Annotated[ListChange[ImageName] | None, Field(description="Other aliases.")] = None
    users: Annotated[ListChange[AccountName] | None, Field(description="Other users.")] = None
    groups: Annotated[ListChange[AccountName] | None, Field(description="Other groups.")] = None
    packages: Annotated[
        PackagesChange | None,
        Field(description="Other packages: everywhere, or by a distribution's word."),
    ] = None
    repositories: Annotated[
        RepositoriesChange | None,
        Field(description="Other repositories: everywhere, or by a distribution's word."),
    ] = None
    artifacts: Annotated[
        ArtifactsChange | None,
        Field(description="Other artifacts: everywhere, or by a distribution's word."),
    ] = None
    files: Annotated[ListChange[FileForm] | None, Field(description="Other files.")] = None
    remove: Annotated[
        ListChange[AbsolutePath] | None, Field(description="Other globs to remove.")
    ] = None
    steps: Annotated[ListChange[str] | None, Field(description="Other shell commands.")] = None
    run_as: Annotated[ValueChange[RunAs] | None, Field(description="Another user to run as.")] = (
        None
    )
    environment: Annotated[
        MapChange[VariableName] | None, Field(description="Other variables.")
    ] = None
    entrypoint: Annotated[ListChange[str] | None, Field(description="Another entrypoint.")] = None
    command: Annotated[ListChange[str] | None, Field(description="Another command.")] = None
    volumes: Annotated[ListChange[AbsolutePath] | None, Field(description="Other volumes.")] = None
    ports: Annotated[ListChange[Port] | None, Field(description="Other ports.")] = None
    labels: Annotated[MapChange[Line] | None, Field(description="Other labels.")] = None
    stop_signal: Annotated[
        ValueChange[SignalName] | None, Field(description="Another signal to stop with.")
    ] = None
    working_dir: Annotated[
        ValueChange[AbsolutePath] | None, Field(description="Another working directory.")
    ] = None
    healthcheck: Annotated[
        ValueChange[Healthcheck] | None, Field(description="Another health check.")
    ] = None
    cadence: Annotated[ValueChange[Cadence] | None, Field(description="Another cadence.")] = None
    distros: Annotated[
        MapChange[DistroWord] | None,
        Field(description="Other distributions that cannot have the image."),
    ] = None
    test: Annotated[ListChange[ProofForm] | None, Field(description="Other tests.")] = None


def called(item: object) -> str:
    """Return the text by which an item of a list is removed."""
    match item:
        case FileForm():
            return item.path
        case ArtifactForm():
            return item.name
        case CommandProofForm():
            return " ".join(item.run)
        case ServiceProofForm():
            return item.config.command
        case _:
            return str(item)


def _check_alone(change: ListChange[Any] | MapChange[Any]) -> None:
    if change.replace is not None and (change.append or change.remove):
        raise fault(
            "'replace' stands beside 'append' or 'remove'",
            "put all items into 'replace', or leave it out",
        )
