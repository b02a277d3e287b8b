"""Small fleets for the tests of layering, written down or drawn at random."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from lamina.layering import Content, Layering, Unit
from lamina.model.image import ImageId

Fleet = tuple[Content, ...]


def a_unit(name: str, size: int = 1000, version: str = "1") -> Unit:
    return Unit(key=f"{name}_{version}_amd64", name=name, size=size)


def a_fleet(images: Mapping[str, str], *, parents: Mapping[str, str] | None = None) -> Fleet:
    """Return images by their packages: `{"a": "x y=5000 z@2"}`, with a size, at a version."""
    return tuple(
        Content(
            image=ImageId(name),
            parent=ImageId(parents[name]) if parents and name in parents else None,
            units=tuple(_parsed(word) for word in words.split()),
        )
        for name, words in images.items()
    )


def _parsed(word: str) -> Unit:
    head, _, size = word.partition("=")
    name, _, version = head.partition("@")
    return a_unit(name, int(size or 1000), version or "1")


def groups(layering: Layering, image: str) -> list[str]:
    """Return the packages of each of an image's own layers, bottom first, as one text."""
    return [" ".join(layering.groups[id_]) for id_ in layering.images[ImageId(image)]]


def layers_of(layering: Layering, fleet: Fleet, image: ImageId) -> int:
    """Return how many layers an image has, its ancestors' and all deltas included."""
    content = next(one for one in fleet if one.image == image)
    above = layers_of(layering, fleet, content.parent) if content.parent else 0
    return above + len(layering.images[image]) + 1


def roomy(fleet: Fleet) -> int:
    """Return a budget that no layering of the fleet can exceed."""
    return 4 * sum(len(content.units) + 1 for content in fleet) + 4


def tight(fleet: Fleet) -> int:
    """Return the least budget that every image can meet."""
    needs: dict[ImageId | None, int] = {None: 0}
    waiting = list(fleet)
    while waiting:
        content = waiting.pop(0)
        if content.parent not in needs:
            waiting.append(content)
            continue
        needs[content.image] = needs[content.parent] + 1 + bool(content.units)
    return max(needs.values())


def updated(fleet: Fleet, key: str, size: int) -> Fleet:
    """Return the fleet with another version of a unit wherever it is."""
    return tuple(
        replace(
            content,
            units=tuple(
                replace(unit, key=f"{unit.key}+new", size=size) if unit.key == key else unit
                for unit in content.units
            ),
        )
        for content in fleet
    )


NAMES = "abcdefghijkl"
_sizes = st.sampled_from([1, 10, 1000, 1 << 20, 5 << 20])


@st.composite
def units(draw: st.DrawFn, catalogue: Sequence[Unit]) -> tuple[Unit, ...]:
    """Draw the units of an image, no two of one name."""
    chosen: Iterable[Unit] = draw(st.lists(st.sampled_from(catalogue), max_size=len(NAMES)))
    return tuple({unit.name: unit for unit in chosen}.values())


@st.composite
def catalogues(draw: st.DrawFn) -> list[Unit]:
    """Draw packages, some of which have two versions."""
    versions = st.sampled_from([["1"], ["1"], ["1", "2"]])
    return [a_unit(name, draw(_sizes), version) for name in NAMES for version in draw(versions)]


@st.composite
def fleets(draw: st.DrawFn, catalogue: Sequence[Unit] | None = None) -> Fleet:
    """Draw up to nine images with their parents."""
    known = draw(catalogues()) if catalogue is None else catalogue
    contents: list[Content] = []
    for number in range(draw(st.integers(1, 9))):
        parent = draw(st.sampled_from([None, *(content.image for content in contents)]))
        own = draw(units(known))
        contents.append(Content(image=ImageId(f"image-{number}"), parent=parent, units=own))
    return tuple(contents)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Fleet, Fleet]:
    """Draw a fleet, and what has become of it: other packages in the same images."""
    catalogue = draw(catalogues())
    before = draw(fleets(catalogue))
    after = tuple(
        replace(content, units=draw(units(catalogue))) if draw(st.booleans()) else content
        for content in before
    )
    return before, after
