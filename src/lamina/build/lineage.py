"""Lineages: an image of the store with all that it stands on, as it can be mounted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event

from lamina.build.image import stack_of
from lamina.build.making import unpackings
from lamina.build.units import Units
from lamina.engine.stack import EMPTY, Stack
from lamina.errors import Fault, StoreError
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.store.store import Store

Find = Callable[[Digest], Built | None]  # by manifest


def finder(store: Store, current: Mapping[ImageId, Built]) -> Find:
    """Return a function that finds images by manifest, also such as are no longer current."""
    known = {built.manifest: built for built in current.values()}

    def find(manifest: Digest) -> Built | None:
        if manifest not in known:
            for key in store.records.keys():  # noqa: SIM118 - no mapping
                found = store.find_built(key)
                if isinstance(found, Built):
                    known.setdefault(found.manifest, found)
        return known.get(manifest)

    return find


def lineage(built: Built, find: Find) -> tuple[Built, ...]:
    """Return the image and its ancestors, the oldest first; raise `StoreError` if one is gone."""
    line = [built]
    while (manifest := line[0].parent) is not None:
        parent = find(manifest)
        if parent is None:
            raise StoreError(
                Fault(
                    str(built.id),
                    "what it stands on is no longer in the store",
                    "run `lamina build`",
                )
            )
        line.insert(0, parent)
    return tuple(line)


def mountable(line: tuple[Built, ...], store: Store, units: Units, stop: Event) -> Stack:
    """Return the stack of the last image of a lineage, its units checked or made again."""
    wanted = unpackings([built.units for built in line])
    units.supply(each for own in wanted for each in own)
    stack = EMPTY
    for built, own in zip(line, wanted, strict=True):
        stack = stack_of(built, stack, units.facts(own, stop), store)
    return stack
