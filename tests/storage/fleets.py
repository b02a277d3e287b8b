"""Small fleets built by hand, whose sums a reader can check.

A unit of size n is n bytes compressed and 2 n bytes of tar; layers have no directories, so that
they are no larger than their parts. On disk a layer takes three times its compressed bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamina.model.built import Built, Inputs, Layer, Part
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef
from lamina.storage import DeltaFile, Fleet, Size, Squash, needed_squashes, own_deltas

EMPTY = Digest.of(b"")
Units = Mapping[str, int]  # compressed bytes by package name
CONFIG, MANIFEST = 7, 5  # bytes of every image


def a_unit(name: str, version: str = "1", size: int = 1000) -> UnitRef:
    return UnitRef(
        name=name,
        version=version,
        architecture="all",
        repository="debian",
        path=f"pool/{name}_{version}.deb",
        size=size,
        digest=Digest.of(f"{name} {version}".encode()),
    )


def a_layer(name: str, size: int, parts: Sequence[Part] = ()) -> Layer:
    return Layer(
        diff_id=Digest.of(name.encode()),
        digest=Digest.of(f"{name} compressed".encode()),
        size=size,
        apparent=2 * size,
        disk=3 * size,
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        parts=tuple(parts),
    )


def a_group(units: Units, versions: Mapping[str, str] | None = None) -> Layer:
    """The layer of a group of units: the same for the same units."""
    keys = {name: a_unit(name, (versions or {}).get(name, "1")).key for name in units}
    parts = [
        Part(unit=keys[name], size=size, apparent=2 * size) for name, size in sorted(units.items())
    ]
    return a_layer(" ".join(sorted(keys.values())), sum(units.values()), parts)


def an_image(
    name: str,
    groups: Sequence[Units] = (),
    delta: int = 0,
    *,
    parent: Built | None = None,
    versions: Mapping[str, str] | None = None,
    in_delta: Sequence[UnitRef] = (),
) -> Built:
    """An image with these groups of units over its parent, and a delta of its own, if any."""
    own = [a_group(units, versions) for units in groups]
    if delta:
        own.append(a_layer(f"delta of {name}", delta))
    inputs = Inputs(
        engine=1,
        codec="gzip",
        parent=None,
        calls=EMPTY,
        layers=EMPTY,
        units={},
        files={},
        entry=EMPTY,
    )
    named = [a_unit(unit, (versions or {}).get(unit, "1")) for units in groups for unit in units]
    return Built(
        id=ImageId.parse(name),
        key=inputs.key(),
        inputs=inputs,
        parent=parent.manifest if parent else None,
        manifest=Digest.of(f"manifest of {name}".encode()),
        manifest_size=MANIFEST,
        config=Digest.of(f"configuration of {name}".encode()),
        units=(*named, *in_delta),
        trees={},
        layers=(*(parent.layers if parent else ()), *own),
        own_layers=len(own),
        epoch=0,
        seconds=1.0,
    )


def a_fleet(
    *lines: Sequence[Built], saved: int = 0, files: Mapping[str, int] | None = None
) -> Fleet:
    """The fleet of these lines, with the same `files` in every delta.

    Squashing deltas saves so many compressed bytes for each more.
    """
    there = tuple(DeltaFile(path=path, size=size) for path, size in (files or {}).items())
    deltas = {
        layer.digest: layer for line in lines for image in line for layer in own_deltas(image)
    }
    tuples = tuple(tuple(line) for line in lines)

    def squashed(squash: Squash) -> Size:
        size = sum(deltas[digest].size for digest in squash.deltas)
        size -= saved * (len(squash.deltas) - 1)
        return a_size(size)

    return Fleet(
        lines=tuples,
        families={image.id: "family" for line in lines for image in line},
        configs={image.config: CONFIG for line in lines for image in line},
        squashes={squash: squashed(squash) for squash in needed_squashes(tuples)},
        deltas=dict.fromkeys(deltas, there),
    )


def a_size(compressed: int) -> Size:
    """What layers of so many compressed bytes weigh."""
    return Size(compressed=compressed, uncompressed=2 * compressed, disk=3 * compressed)


def of_units(compressed: int) -> Size:
    """What units of so many compressed bytes weigh; the disk's share is known of layers only."""
    return Size(compressed=compressed, uncompressed=2 * compressed)
