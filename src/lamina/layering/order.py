"""The one order of all groups, and their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamina.layering.division import Division
from lamina.layering.values import Content, Layering, Unit
from lamina.model.digest import Digest, canonical_json


def group_id(names: Sequence[str]) -> str:
    """Return the id of a group of these packages, which it has wherever it is made."""
    return Digest.of(canonical_json(sorted(names))).short


def put_in_order(
    division: Division,
    contents: Sequence[Content],
    units: Sequence[Unit],
    previous: Layering | None,
) -> Layering:
    """Return the layering that a division comes to.

    Below is what more images have, then what is larger. Groups that there were before keep their
    order, with new ones above them: what has not changed must not get other layers beneath it.
    """
    ids: dict[int, str] = {}
    names: dict[str, tuple[str, ...]] = {}
    sizes: dict[str, int] = {}
    holders: dict[str, int] = {}
    for group in division.groups():
        members = tuple(sorted(units[unit].name for unit in division.units[group]))
        id_ = ids[group] = group_id(members)
        names[id_] = members
        # Other versions of the same packages make another layer, but the same group.
        sizes[id_] = max(sizes.get(id_, 0), division.bytes[group])
        holders[id_] = holders.get(id_, 0) | division.holders[group]

    def place(id_: str) -> tuple[int, int, int, tuple[str, ...]]:
        known = before.get(id_, len(before))
        if known < len(before):
            return known, 0, 0, ()
        return known, -holders[id_].bit_count(), -sizes[id_], names[id_]

    before: Mapping[str, int] = (
        {id_: number for number, id_ in enumerate(previous.groups)} if previous else {}
    )
    ordered = sorted(names, key=place)
    positions = {id_: number for number, id_ in enumerate(ordered)}
    return Layering(
        groups={id_: names[id_] for id_ in ordered},
        images={
            content.image: tuple(
                sorted(
                    (ids[group] for group in division.of_image[image]), key=positions.__getitem__
                )
            )
            for image, content in enumerate(contents)
        },
    )
