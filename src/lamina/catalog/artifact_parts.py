"""The form of an artifact in the catalogue, and of the places that artifacts come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, StrictInt, Tag, with_config

from lamina.catalog.artifact_texts import (
    Address,
    ArchivePath,
    ArtifactName,
    ArtifactVersion,
    Day,
    Destination,
    RemotePath,
    Sha256,
    SourceName,
)
from lamina.catalog.parts import CLOSED, ListOrMap
from lamina.catalog.texts import AccountName, DistroWord, EachOnce, Line, Mode, fault
from lamina.model.artifact import READ_ENDINGS, Packing, packing_of

Bytes = Annotated[StrictInt, Field(ge=1)]


# Not by pydantic's own rule, which does not count items that have a fault.
def _not_empty(items: tuple[PlacementForm, ...]) -> tuple[PlacementForm, ...]:
    if not items:
        raise fault("nothing of it is installed", "add a line that says what goes where")
    return items


def _one_or_map(value: Any) -> str | None:
    return "<map>" if isinstance(value, dict) else "<one>"


_OneOrMap = Discriminator(_one_or_map)
Sha256ByArchitecture = Annotated[
    Annotated[Sha256, Tag("<one>")] | Annotated[dict[Line, Sha256], Tag("<map>")], _OneOrMap
]
BytesByArchitecture = Annotated[
    Annotated[Bytes, Tag("<one>")] | Annotated[dict[Line, Bytes], Tag("<map>")], _OneOrMap
]


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementForm:
    """What of an artifact goes where."""

    # `from` is a word of Python's own.
    source: Annotated[
        ArchivePath | None,
        Field(
            alias="from",
            description="A path or a glob in the archive, with the same variables as `path`; with "
            "a slash behind, all that is in this folder. Absent where the file is no archive.",
        ),
    ] = None
    to: Annotated[
        Destination,
        Field(description="The file's path in the image; with a slash behind, a folder for it."),
    ]
    mode: Annotated[
        Mode | None,
        Field(
            description='The files\' mode, as four octal digits in quotes. If absent, "0755" for '
            'programs and "0644" for all else. Files of a folder always keep what they are.'
        ),
    ] = None
    owner: Annotated[
        AccountName, Field(description="The user that owns it: root, or one of `users`.")
    ] = "root"
    group: Annotated[
        AccountName, Field(description="The group that owns it: root, or one of `users.yaml`.")
    ] = "root"
    without: Annotated[
        tuple[ArchivePath, ...],
        EachOnce,
        Field(description="Globs of what of a folder is left out, relative to the folder."),
    ] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.is_folder:
            if self.without:
                raise fault("'without' is for folders", "end 'from' and 'to' with a slash")
        elif not self.to.endswith("/"):
            message = f"'{self.source}' is a folder, and '{self.to}' is none"
            raise fault(message, "end both with a slash, or neither")
        elif self.mode:
            raise fault(
                f"'{self.source}' is a folder, whose files keep what they are",
                "delete 'mode', and give files that need another one a line of their own",
            )

    @property
    def is_folder(self) -> bool:
        """Whether all of a folder is meant."""
        return self.source is not None and self.source.endswith("/")


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactForm:
    """A release archive or a program that is taken from its publisher."""

    name: Annotated[ArtifactName, Field(description="What it is called in layers and reports.")]
    version: Annotated[ArtifactVersion, Field(description="The version, in quotes.")]
    source: Annotated[
        SourceName, Field(description="The place that has it, by its name in `sources.yaml`.")
    ]
    path: Annotated[
        RemotePath,
        Field(
            description="Where it is below the place's address. {name}, {version}, {architecture} "
            "(amd64) and {machine} (x86_64) stand for its own."
        ),
    ]
    sha256: Annotated[
        Sha256ByArchitecture | None,
        Field(
            description="Its digest, or one for each architecture that there is. If absent, the "
            "lock pins what it sees first."
        ),
    ] = None
    size: Annotated[
        BytesByArchitecture | None, Field(description="Its bytes; or by architecture.")
    ] = None
    date: Annotated[
        Day | None,
        Field(
            description="The day of its release: nothing in it counts as newer. If absent, the "
            "archive's newest member decides."
        ),
    ] = None
    words: Annotated[
        dict[Line, Line],
        Field(
            description="What {architecture} stands for where the publisher has words of his own."
        ),
    ] = field(default_factory=dict)
    install: Annotated[
        tuple[PlacementForm, ...],
        AfterValidator(_not_empty),
        Field(description="What of it goes where.", json_schema_extra={"minItems": 1}),
    ]

    def __post_init__(self) -> None:
        """Refuse lines that do not fit the sort of file."""
        for message, remedy in self._misfits():
            raise fault(f"{self.name}: {message}", remedy)

    def _misfits(self) -> Iterator[tuple[str, str]]:
        plain = packing_of(self.path) is Packing.PLAIN
        for line in self.install:
            if plain and line.source is not None:
                known = ", ".join(READ_ENDINGS)
                yield (
                    "there is nothing to take out of a plain file",
                    (f"delete 'from'; archives end with {known}"),
                )
            if plain and line.to.endswith("/"):
                yield f"'{line.to}' is a folder", "write the path of the file itself"
            if not plain and line.source is None:
                yield (
                    "nothing says what of the archive is meant",
                    "add 'from': a path in the archive",
                )
        paths = [line.to for line in self.install if not line.to.endswith("/")]
        twice = [path for number, path in enumerate(paths) if path in paths[:number]]
        if twice:
            yield f"two lines go to '{twice[0]}'", "delete one of the two"
        for line in self.install:
            if "/.wh." in line.to:
                yield f"no layer can hold '{line.to}'", "give it another name"


Artifacts = tuple[ArtifactForm, ...]
ArtifactsByDistro = Annotated[
    Annotated[Artifacts, Tag("<list>")] | Annotated[dict[DistroWord, Artifacts], Tag("<map>")],
    ListOrMap,
]


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class SourceForm:
    """A place that artifacts come from."""

    url: Annotated[
        Address, Field(description="Its address, which [mirrors] of lamina.toml can replace.")
    ]


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesForm:
    """`sources.yaml`: the places that artifacts come from."""

    sources: Annotated[dict[SourceName, SourceForm], Field(description="The places by name.")]


def lacking(artifacts: Iterable[ArtifactForm], architecture: str) -> str:
    """Return why an image cannot be had for an architecture: it has no digest of an artifact.

    Any artifact will do where no architecture is named.
    """
    for artifact in artifacts if architecture else ():
        if isinstance(artifact.sha256, dict) and architecture not in artifact.sha256:
            known = ", ".join(sorted(artifact.sha256))
            return f"no sha256 of {artifact.name} for {architecture}, only for {known}"
    return ""
