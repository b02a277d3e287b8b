"""The lock: every choice made, with no host and no local path in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Literal

from lamina.model.artifact import Recipe
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId

FORMAT = 3

LAYER_BUDGET = 60  # unless a setting says otherwise
MOST_LAYERS = 125  # container engines mount 127 layers at most, two of which are their own


def dpkg_name(name: str, architecture: str, *, native: str) -> str:
    """Return a package's name as dpkg prints it: with its architecture if it is a foreign one.

    Two architectures of one package may lie in one image; `native` is the image's own.
    """
    return name if architecture in (native, "all") else f"{name}:{architecture}"


class UnitKind(StrEnum):
    """What a unit is made of."""

    PACKAGE = "package"  # of the distribution
    ARTIFACT = "artifact"  # of a publisher


# No package of a distribution has a name like this.
_MARK = f"{UnitKind.ARTIFACT}:"
_ARTIFACT_FORMAT = 1  # raised whenever other files come of the same artifact and recipe

Pinned = Literal["index", "catalogue", "first sight"]


def artifact_name(name: str) -> str:
    """Return the name of an artifact's unit: `artifact:cadvisor`."""
    return f"{_MARK}{name}"


def spoken_name(unit: str) -> str:
    """Return a unit's name as sentences have it: `package openssl`, `artifact cadvisor`."""
    name = unit.removeprefix(_MARK)
    return f"{UnitKind.PACKAGE if name == unit else UnitKind.ARTIFACT} {name}"


def spoken_key(key: str) -> str:
    """Return a unit's name and version as sentences have them: `artifact cadvisor 0.56.2`."""
    name, version, _architecture = key.rsplit("_", 2)
    return f"{spoken_name(name)} {version}"


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class UnitRef:
    """A unit as the lock knows it: one package or artifact at one version, with its file."""

    name: str  # `cron`, `artifact:cadvisor`
    version: str
    architecture: str
    repository: str  # or the place that an artifact comes from
    path: str  # relative to the repository's root: `pool/main/c/cron/cron_3.0_amd64.deb`
    size: int | None  # bytes of the file; of an artifact they may not be known
    digest: Digest  # of the file
    pinned: Pinned = "index"  # where the digest comes from
    recipe: Recipe | None = None  # of an artifact

    @property
    def kind(self) -> UnitKind:
        """What the unit is made of."""
        return UnitKind.ARTIFACT if self.recipe else UnitKind.PACKAGE

    @property
    def key(self) -> str:
        """The unit's name in the lock: `cron_3.0pl1-197_amd64`."""
        return f"{self.name}_{self.version}_{self.architecture}"

    @property
    def identity(self) -> Digest:
        """The digest of what becomes of it: of its file, and of what an artifact's recipe says."""
        if self.recipe is None:
            return self.digest
        # With its name and version, which stand in the unit's facts.
        parts = [_ARTIFACT_FORMAT, self.key, str(self.digest), asdict(self.recipe)]
        return Digest.of(canonical_json(parts))

    @property
    def spoken(self) -> str:
        """The unit as sentences have it: `artifact cadvisor 0.56.2`."""
        return spoken_key(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class DpkgCall:
    """One call of dpkg: which packages it unpacks or configures, by unit key, in order."""

    action: Literal["unpack", "configure"]
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Index:
    """A package index that the lock was made from."""

    repository: str
    suite: str
    date: str  # the Release file's `Date`, as ISO 8601 in UTC
    digest: Digest  # of the verified InRelease file


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """The packages and artifacts of one image.

    `calls` holds the order in which apt would have called dpkg; after the last one (and, in an
    image without parent, after the first stage) follows `dpkg --configure --pending`, which has
    no list of its own. `bootstrap` are the essential packages of an image without parent and the
    tools that make accounts: all unpacked, then configured together, before `calls`.
    """

    id: ImageId
    parent: ImageId | None
    request: Digest  # of what the solver was asked: parent, packages, repositories
    packages: tuple[str, ...] = ()  # that the catalogue asked for, by name
    bootstrap: tuple[str, ...] = ()
    calls: tuple[DpkgCall, ...] = ()
    artifacts: tuple[str, ...] = ()  # by key, sorted
    unpinned: tuple[str, ...] = ()  # artifacts that could not be seen yet: no units of the lock
    layers: tuple[str, ...] = ()  # keys of `Lock.layers`, bottom first

    @property
    def packaged(self) -> tuple[str, ...]:
        """The image's own packages by key, each once, in the order in which they are unpacked."""
        unpacked = (key for call in self.calls if call.action == "unpack" for key in call.units)
        return (*self.bootstrap, *unpacked)

    @property
    def units(self) -> tuple[str, ...]:
        """The image's own units by key, each once: packages as they are unpacked, artifacts."""
        return (*self.packaged, *self.artifacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Every choice for one distribution and architecture; images parents first, else by name."""

    distro: str
    architecture: str
    catalog: Digest  # of all requests: what the lock was made from
    indices: tuple[Index, ...]
    units: Mapping[str, UnitRef]
    layers: Mapping[str, tuple[str, ...]]  # package names, sorted; layers bottom first
    images: tuple[LockedImage, ...]
    layer_budget: int = LAYER_BUDGET  # layers of one image: its ancestors', and all deltas

    def by_id(self) -> Mapping[ImageId, LockedImage]:
        """Return the locked images by their ids."""
        return {image.id: image for image in self.images}

    def units_of(self, image: LockedImage) -> tuple[UnitRef, ...]:
        """Return the image's own units in the order in which they are unpacked."""
        return tuple(self.units[key] for key in image.units)

    def groups_of(self, image: LockedImage) -> tuple[tuple[str, ...], ...]:
        """Return the image's own units by key, as they share layers, bottom first."""
        keys = {self.name_of(unit): unit.key for unit in self.units_of(image)}
        return tuple(tuple(keys[name] for name in self.layers[id_]) for id_ in image.layers)

    def line_of(self, image: LockedImage) -> tuple[LockedImage, ...]:
        """Return the image's ancestors and itself, the oldest first."""
        images = self.by_id()
        line = [image]
        while (parent := line[0].parent) is not None:
            line.insert(0, images[parent])
        return tuple(line)

    def name_of(self, unit: UnitRef) -> str:
        """Return the unit's name in `layers`: as dpkg prints it."""
        return dpkg_name(unit.name, unit.architecture, native=self.architecture)
