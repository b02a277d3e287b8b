"""The lock file's content as it stands there: plain text and numbers, not yet judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lamina.lock.artifact_entry import ArtifactEntry, PlacementEntry, artifact_entry
from lamina.lock.position import Finding
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import (
    FORMAT,
    DpkgCall,
    Index,
    Lock,
    LockedImage,
    UnitKind,
    UnitRef,
)
from lamina.model.spelling import did_you_mean

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """A package index."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    repository: str
    suite: str
    date: str
    digest: str

    def index(self) -> Index:
        """Return the value."""
        return Index(
            repository=self.repository,
            suite=self.suite,
            date=self.date,
            digest=Digest.parse(self.digest),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEntry:
    """A unit."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    version: str
    architecture: str
    repository: str
    path: str
    size: int
    digest: str

    @property
    def key(self) -> str:
        """The unit's name in the images' lists."""
        return f"{self.name}_{self.version}_{self.architecture}"

    def unit(self) -> UnitRef:
        """Return the value."""
        return UnitRef(
            name=self.name,
            version=self.version,
            architecture=self.architecture,
            repository=self.repository,
            path=self.path,
            size=self.size,
            digest=Digest.parse(self.digest),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEntry:
    """A call of dpkg."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    action: Literal["unpack", "configure"]
    units: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEntry:
    """A layer that images share: a group of packages."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str
    packages: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEntry:
    """An image."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str
    parent: str | None
    request: str
    packages: list[str]
    bootstrap: list[str] = field(default_factory=list)
    calls: list[CallEntry]
    artifacts: list[str] = field(default_factory=list)
    unpinned: list[str] = field(default_factory=list)
    layers: list[str]

    @property
    def units(self) -> tuple[str, ...]:
        """The keys of the units that the image installs."""
        unpacked = (key for call in self.calls if call.action == "unpack" for key in call.units)
        return (*self.bootstrap, *unpacked, *self.artifacts)

    def image(self) -> LockedImage:
        """Return the value."""
        return LockedImage(
            id=ImageId.parse(self.id),
            parent=ImageId.parse(self.parent) if self.parent else None,
            request=Digest.parse(self.request),
            packages=tuple(self.packages),
            bootstrap=tuple(self.bootstrap),
            calls=tuple(DpkgCall(action=c.action, units=tuple(c.units)) for c in self.calls),
            artifacts=tuple(self.artifacts),
            unpinned=tuple(self.unpinned),
            layers=tuple(self.layers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """The whole file."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    format: int
    distro: str
    architecture: str
    catalog: str
    layer_budget: int
    indices: list[IndexEntry]
    units: list[UnitEntry]
    artifacts: list[ArtifactEntry] = field(default_factory=list)
    layers: list[LayerEntry]
    images: list[ImageEntry]

    def lock(self) -> Lock:
        """Return the value; only for a content without faults."""
        units = [entry.unit() for entry in self.units]
        units += [entry.unit() for entry in self.artifacts]
        return Lock(
            distro=self.distro,
            architecture=self.architecture,
            catalog=Digest.parse(self.catalog),
            indices=tuple(entry.index() for entry in self.indices),
            units={unit.key: unit for unit in units},
            layers={entry.id: tuple(entry.packages) for entry in self.layers},
            images=tuple(entry.image() for entry in self.images),
            layer_budget=self.layer_budget,
        )


_FILE = TypeAdapter(FileEntry)
# The format before is this one without artifacts.
_READ = (FORMAT - 1, FORMAT)


def parse_entry(text: str) -> FileEntry | list[Finding]:
    """Return the content of a file, or everything that keeps it from being one.

    Raises `json.JSONDecodeError` when it is not JSON.
    """
    document = json.loads(text)
    given = document.get("format") if isinstance(document, dict) else FORMAT
    if given not in _READ:
        message = f"format {given} is not the format {FORMAT} that this lamina reads"
        remedy = "delete the file and run lamina lock, which chooses every version anew"
        return [Finding(keys=("format",), message=message, remedy=remedy)]
    try:
        return _FILE.validate_json(text)
    except ValidationError as error:
        return [_finding(detail["type"], detail["loc"], detail["msg"]) for detail in error.errors()]


def entry_of(lock: Lock) -> dict[str, Any]:
    """Return the file's content for a lock, everything sorted that has no order of its own."""
    return {
        "format": FORMAT,
        "distro": lock.distro,
        "architecture": lock.architecture,
        "catalog": str(lock.catalog),
        "layer_budget": lock.layer_budget,
        "indices": [
            {
                "repository": index.repository,
                "suite": index.suite,
                "date": index.date,
                "digest": str(index.digest),
            }
            for index in sorted(lock.indices)
        ],
        "units": [
            {
                "name": unit.name,
                "version": unit.version,
                "architecture": unit.architecture,
                "repository": unit.repository,
                "path": unit.path,
                "size": unit.size,
                "digest": str(unit.digest),
            }
            for _, unit in sorted(lock.units.items())
            if unit.kind is UnitKind.PACKAGE
        ],
        "artifacts": [
            artifact_entry(unit) for _, unit in sorted(lock.units.items()) if unit.recipe
        ],
        # Their order is that of the layers: bottom first.
        "layers": [{"id": id_, "packages": list(names)} for id_, names in lock.layers.items()],
        "images": [_image_entry(image) for image in lock.images],
    }


def _image_entry(image: LockedImage) -> dict[str, Any]:
    return {
        "id": str(image.id),
        "parent": str(image.parent) if image.parent else None,
        "request": str(image.request),
        "packages": sorted(image.packages),
        **({"bootstrap": list(image.bootstrap)} if image.bootstrap else {}),
        "calls": [{"action": call.action, "units": list(call.units)} for call in image.calls],
        **({"artifacts": list(image.artifacts)} if image.artifacts else {}),
        **({"unpinned": list(image.unpinned)} if image.unpinned else {}),
        "layers": list(image.layers),
    }


def _finding(kind: str, keys: tuple[int | str, ...], message: str) -> Finding:
    name = str(keys[-1]) if keys else ""
    if kind == "missing":
        return Finding(keys=keys, message=f"the key '{name}' is missing")
    if kind == "unexpected_keyword_argument":
        return Finding(
            keys=keys,
            message=f"unknown key '{name}'",
            remedy=did_you_mean(name, _known_keys(keys[:-1])),
        )
    what = f"'{name}'" if keys and isinstance(keys[-1], str) else "it"
    return Finding(keys=keys, message=f"{what} {message.replace('Input should', 'must', 1)}")


def _known_keys(keys: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the keys that the object at this place may have."""
    names = [key for key in keys if isinstance(key, str)]
    entries: dict[str, Any] = {
        "": FileEntry,
        "indices": IndexEntry,
        "units": UnitEntry,
        "artifacts": ArtifactEntry,
        "install": PlacementEntry,
        "layers": LayerEntry,
        "images": ImageEntry,
        "calls": CallEntry,
    }
    entry = entries[names[-1] if names else ""]
    # `from` is a word of Python's own.
    spelled = {"source": "from"} if entry is PlacementEntry else {}
    return tuple(spelled.get(field.name, field.name) for field in fields(entry))
