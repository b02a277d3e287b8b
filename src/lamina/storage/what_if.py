"""The same content in other layers: what squashing, hierarchies and copies for types would weigh.

An arrangement is a set of pieces, each stored once. A piece weighs what its units and deltas do:
the directories and the framing of a layer that nobody made count nothing, nor does it save the
files of units that a delta covers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lamina.model.digest import Digest
from lamina.model.image import Type
from lamina.storage.fleet import (
    Fleet,
    Line,
    Squash,
    own_deltas,
    own_units,
    size_of,
)
from lamina.storage.report import NOTHING, Size, WhatIf, ratio, total

_INFRA = "infra"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What would be one layer: units, and deltas squashed."""

    units: frozenset[str]
    deltas: tuple[Digest, ...]  # lowest first
    rooted: bool  # nothing lies beneath it
    copy: str = ""  # equal pieces of different copies share nothing


_Arrangement = Callable[[Sequence[Line]], Iterable[_Piece]]


def needed_squashes(lines: Sequence[Line]) -> frozenset[Squash]:
    """Return the squashed deltas whose sizes the what-ifs need."""
    return frozenset(
        Squash(deltas=piece.deltas, rooted=piece.rooted)
        for _, _, arrange in _ARRANGEMENTS
        for piece in arrange(lines)
        if len(piece.deltas) > 1
    )


def what_ifs(
    fleet: Fleet, units: Mapping[str, Size], *, layered: Size, lower_bound: Size
) -> tuple[WhatIf, ...]:
    """Return what the fleet would weigh in each arrangement, and what it does weigh.

    `units` are the sizes of all units by key.
    """
    weigh = _scale(fleet, units)
    weights = [
        *(
            (name, title, total(map(weigh, frozenset(arrange(fleet.lines)))))
            for name, title, arrange in _ARRANGEMENTS
        ),
        ("layered", "layers of packages within the budget: as it is", layered),
        ("lower_bound", "every package once, and every delta once", lower_bound),
    ]
    return tuple(
        WhatIf(
            name=name,
            title=title,
            size=size,
            ratio=ratio(size.uncompressed, lower_bound.uncompressed),
            compressed_ratio=ratio(size.compressed, lower_bound.compressed),
        )
        for name, title, size in weights
    )


def answer(found: Sequence[WhatIf]) -> str:
    """Return what the what-ifs, by their uncompressed sizes, say to the questions of 2019."""
    sizes = {one.name: one.size.uncompressed for one in found}
    if not sizes["layered"]:
        return "nothing is built that could be compared"
    split = _saving(sizes["infra_per_type"], sizes["hierarchy"])
    return (
        f"building infra once, not for each type, saves {split} of the hierarchy's layers; "
        f"squashing every image would {_change(sizes['layered'], sizes['squashed'])}"
    )


def _saving(before: int, after: int) -> str:
    return f"{100 * (before - after) / before:.0f} %"


def _change(layered: int, squashed: int) -> str:
    if squashed < layered:
        return f"save {_saving(layered, squashed)} of the package layers"
    return f"store {squashed / layered:.2f} times what the package layers do"


def _scale(fleet: Fleet, units: Mapping[str, Size]) -> Callable[[_Piece], Size]:
    """Return a function that tells what a piece weighs."""
    deltas = {
        layer.digest: size_of(layer)
        for image in fleet.members().values()
        for layer in own_deltas(image)
    }

    def weigh(piece: _Piece) -> Size:
        content = total(units[unit] for unit in piece.units)
        if len(piece.deltas) > 1:
            return content + fleet.squashes[Squash(deltas=piece.deltas, rooted=piece.rooted)]
        return content + (deltas[piece.deltas[0]] if piece.deltas else NOTHING)

    return weigh


def _merged(line: Line, *, rooted: bool, copy: str = "") -> _Piece:
    """Return the piece of a whole line."""
    return _Piece(
        units=frozenset().union(*map(own_units, line)),
        deltas=tuple(layer.digest for image in line for layer in own_deltas(image)),
        rooted=rooted,
        copy=copy,
    )


def _squashed(lines: Sequence[Line]) -> Iterator[_Piece]:
    return (_merged(line, rooted=True) for line in lines)


def _base_shared(lines: Sequence[Line]) -> Iterator[_Piece]:
    for line in lines:
        yield _merged(line[:1], rooted=True)
        if line[1:]:
            yield _merged(line[1:], rooted=False)


def _hierarchy(lines: Sequence[Line]) -> Iterator[_Piece]:
    for line in lines:
        for image in line:
            yield _merged((image,), rooted=image.parent is None)


def _base_per_type(lines: Sequence[Line]) -> Iterator[_Piece]:
    for line in lines:
        for copy in (_INFRA, *Type):
            yield _merged(line[:1], rooted=True, copy=copy)
        for image in line[1:]:
            yield _merged((image,), rooted=False)


def _infra_per_type(lines: Sequence[Line]) -> Iterator[_Piece]:
    for line in lines:
        for image in line:
            for copy in (image.id.type,) if image.id.type else Type:
                yield _merged((image,), rooted=image.parent is None, copy=copy)


_ARRANGEMENTS: tuple[tuple[str, str, _Arrangement], ...] = (
    ("squashed", "every image squashed into one layer", _squashed),
    ("base_shared", "only the base shared, the rest of each image squashed", _base_shared),
    ("base_per_type", "the hierarchy, with a base for infra, binary and source", _base_per_type),
    ("hierarchy", "the hierarchy: a layer for each image over its parent", _hierarchy),
    ("infra_per_type", "the hierarchy, infra built for each type", _infra_per_type),
)
