"""What a layering is made from, and what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lamina.model.image import ImageId


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Unit:
    """A unit as layers see it: recorded by its name, shared only by its key."""

    key: str
    name: str
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an image installs over its parent; no two of its units have one name."""

    image: ImageId
    parent: ImageId | None
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layering:
    """Groups of package names by their ids, and the groups of each image; all bottom first.

    Each own unit of an image is in one of the image's groups, and these hold nothing else.
    """

    groups: Mapping[str, tuple[str, ...]]
    images: Mapping[ImageId, tuple[str, ...]]


def stored_bytes(layering: Layering, contents: Iterable[Content]) -> int:
    """Return the bytes of all layers that are different, what several of them hold each time.

    Images whose units differ have different layers even of one group.
    """
    layers: dict[frozenset[str], int] = {}
    for content in contents:
        units = {unit.name: unit for unit in content.units}
        for group in layering.images[content.image]:
            held = [units[name] for name in layering.groups[group]]
            layers[frozenset(unit.key for unit in held)] = sum(unit.size for unit in held)
    return sum(layers.values())


def lower_bound(contents: Iterable[Content]) -> int:
    """Return the bytes of all units, each once."""
    sizes = {unit.key: unit.size for content in contents for unit in content.units}
    return sum(sizes.values())
