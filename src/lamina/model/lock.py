"""The lock: every choice made, with no host and no local path in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lamina.model.digest import Digest
from lamina.model.image import ImageId

FORMAT = 1


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class UnitRef:
    """A unit as the lock knows it: one package at one version, addressed by its file's digest."""

    name: str
    version: str
    architecture: str
    repository: str
    path: str  # relative to the repository's root: `pool/main/c/cron/cron_3.0_amd64.deb`
    size: int  # bytes of the package file
    digest: Digest

    @property
    def key(self) -> str:
        """The unit's name in the lock: `cron_3.0pl1-197_amd64`."""
        return f"{self.name}_{self.version}_{self.architecture}"


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
    """The packages of one image.

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

    @property
    def units(self) -> tuple[str, ...]:
        """The image's own units by key, each once, in the order in which they are unpacked."""
        unpacked = (key for call in self.calls if call.action == "unpack" for key in call.units)
        return (*self.bootstrap, *unpacked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Every choice for one distribution and architecture; images parents first, else by name."""

    distro: str
    architecture: str
    catalog: Digest  # of all requests: what the lock was made from
    indices: tuple[Index, ...]
    units: Mapping[str, UnitRef]
    images: tuple[LockedImage, ...]

    def by_id(self) -> Mapping[ImageId, LockedImage]:
        """Return the locked images by their ids."""
        return {image.id: image for image in self.images}

    def units_of(self, image: LockedImage) -> tuple[UnitRef, ...]:
        """Return the image's own units in the order in which they are unpacked."""
        return tuple(self.units[key] for key in image.units)
