"""The whole catalogue for one distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lamina.model.image import Image, ImageId

Backend = Literal["deb", "rpm"]
"""What a distribution's packages are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A package repository, without the host that serves it."""

    name: str  # `debian`, `debian-security`: what a mirror setting is given for
    suites: tuple[str, ...]  # of Debian's form only, as components are
    components: tuple[str, ...]
    keyring: str  # path in the solver's root, or an armoured key of the catalogue's files
    default: bool = True  # in use everywhere, not only where an image asks
    security: bool = False  # its updates are published at once


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRule:
    """What becomes of paths that must not be in an image: random, secret, logs, caches."""

    glob: str  # absolute
    action: Literal["remove", "empty", "undate"]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distro:
    """A distribution at one release, and how its packages become images."""

    name: str  # `debian-13`
    short: str  # `debian`, in image names
    release: str  # `trixie`
    fallback: tuple[str, ...]  # most special first: `debian-13`, `debian`, `deb`
    backend: Backend
    architecture: str  # the distribution's own word: `amd64`
    repositories: tuple[Repository, ...]
    rules: tuple[PathRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All images for one distribution, parents before children, else by name."""

    distro: Distro
    images: tuple[Image, ...]
    sources: Mapping[str, str] = field(default_factory=dict)  # addresses of artifacts, by name

    def by_id(self) -> Mapping[ImageId, Image]:
        """Return the images by their ids."""
        return {image.id: image for image in self.images}
