"""What the distributions have of the catalogue's images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a publisher has released: an artifact as the catalogue names it."""

    name: str
    version: str
    source: str  # the name of the place that has it
    checked: bool  # against a checksum of the catalogue, not only against what was seen first


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one distribution has of one image."""

    packages: tuple[str, ...] = ()
    releases: tuple[Release, ...] = ()
    unbuildable: str = ""  # why it cannot have the image; empty where it can


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What one distribution has of every image, by name."""

    distro: str  # `debian-13`, or the word by which entries know one: `rhel`
    built: bool  # whether lamina is known to build for it
    images: Mapping[str, Offer]
