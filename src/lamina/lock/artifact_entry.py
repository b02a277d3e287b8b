"""The artifacts of a lock file as they stand there: plain text and numbers, not yet judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from lamina.model.artifact import Placement, Recipe
from lamina.model.digest import Digest
from lamina.model.lock import UnitRef, artifact_name

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementEntry:
    """What of an artifact goes where; modes are octal digits, absent where the archive decides."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    source: Annotated[str, Field(alias="from")] = ""
    to: str
    mode: str | None = None
    uid: int = 0
    gid: int = 0
    without: list[str] = field(default_factory=list)

    def placement(self) -> Placement:
        """Return the value."""
        return Placement(
            source=self.source,
            to=self.to,
            mode=int(self.mode, 8) if self.mode else None,
            uid=self.uid,
            gid=self.gid,
            without=tuple(self.without),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactEntry:
    """An artifact; without a size where none is known."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    version: str
    architecture: str
    source: str
    path: str
    size: int | None = None
    digest: str
    pinned: Literal["catalogue", "first sight"]
    date: int | None = None
    install: list[PlacementEntry]

    @property
    def key(self) -> str:
        """The unit's name in the images' lists."""
        return f"{artifact_name(self.name)}_{self.version}_{self.architecture}"

    def unit(self) -> UnitRef:
        """Return the value."""
        return UnitRef(
            name=artifact_name(self.name),
            version=self.version,
            architecture=self.architecture,
            repository=self.source,
            path=self.path,
            size=self.size,
            digest=Digest.parse(self.digest),
            pinned=self.pinned,
            recipe=Recipe(
                install=tuple(entry.placement() for entry in self.install), date=self.date
            ),
        )


def artifact_entry(unit: UnitRef) -> dict[str, Any]:
    """Return the file's content for an artifact."""
    recipe = unit.recipe or Recipe(install=())
    return {
        "name": unit.name.removeprefix(artifact_name("")),
        "version": unit.version,
        "architecture": unit.architecture,
        "source": unit.repository,
        "path": unit.path,
        **({} if unit.size is None else {"size": unit.size}),
        "digest": str(unit.digest),
        "pinned": unit.pinned,
        **({} if recipe.date is None else {"date": recipe.date}),
        "install": [_placement_entry(placement) for placement in recipe.install],
    }


def _placement_entry(placement: Placement) -> dict[str, Any]:
    return {
        **({"from": placement.source} if placement.source else {}),
        "to": placement.to,
        **({} if placement.mode is None else {"mode": f"{placement.mode:04o}"}),
        **({"uid": placement.uid} if placement.uid else {}),
        **({"gid": placement.gid} if placement.gid else {}),
        **({"without": list(placement.without)} if placement.without else {}),
    }
