"""Two builds compared: the images that came out different, and the paths that make them so."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import Workshop

Described = Mapping[str, tuple[object, ...]]  # by path


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is not the same in two builds of an image."""

    paths: tuple[str, ...]  # in one of its layers
    configuration: tuple[str, ...]  # keys
    # What else there is: annotations by key, the number of layers, what is said of a layer, and
    # how one of the same paths is written.
    writing: tuple[str, ...] = ()


def compare(
    one: Workshop, other: Workshop, manifests: Sequence[Mapping[str, str]]
) -> Mapping[str, Difference]:
    """Return the images whose manifests, in the one and in the other, are not the same."""
    here, there = manifests
    return {
        image: _difference(_read(one, here[image]), _read(other, there[image]))
        for image in sorted(here)
        if here[image] != there[image]
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    config: Mapping[str, Any]
    annotations: Mapping[str, str]
    layers: tuple[Path, ...]
    told: tuple[tuple[object, ...], ...]  # what manifest and configuration tell of each layer


def _read(workshop: Workshop, digest: str) -> _Image:
    def blob(digest: str) -> Path:
        return workshop.store / "oci" / "blobs" / "sha256" / digest.removeprefix("sha256:")

    manifest = json.loads(blob(digest).read_bytes())
    config = json.loads(blob(manifest["config"]["digest"]).read_bytes())
    diff_ids = config["rootfs"]["diff_ids"]
    return _Image(
        config=config,
        annotations=manifest.get("annotations", {}),
        layers=tuple(blob(layer["digest"]) for layer in manifest["layers"]),
        told=tuple(
            (layer["mediaType"], layer["size"], diff_id)
            for layer, diff_id in zip(manifest["layers"], diff_ids, strict=True)
        ),
    )


def _difference(one: _Image, other: _Image) -> Difference:
    paths = set()
    writing = [f"annotation {key}" for key in _changed(one.annotations, other.annotations)]
    if len(one.layers) != len(other.layers):
        writing.append(f"{len(one.layers)} and {len(other.layers)} layers")
    for number, (here, there) in enumerate(zip(one.layers, other.layers, strict=False)):
        if here.name != there.name:
            mine, theirs = _described(here), _described(there)
            paths |= {path for path, _ in mine.items() ^ theirs.items()}
            if mine == theirs:
                how = "compressed" if [*mine] == [*theirs] else "ordered"
                writing.append(f"layer {number} is {how} otherwise")
        elif one.told[number] != other.told[number]:
            writing.append(f"layer {number}: {one.told[number]} and {other.told[number]}")
    return Difference(
        paths=tuple(sorted(paths)),
        configuration=tuple(sorted(_changed(one.config, other.config))),
        writing=tuple(sorted(writing)),
    )


def _described(layer: Path) -> Described:
    """Return all that a layer says of each path."""
    with tarfile.open(layer) as archive:
        return {
            member.name: (
                *(member.type, member.mode, member.uid, member.gid, member.mtime),
                *(member.linkname, member.devmajor, member.devminor),
                *sorted(member.pax_headers.items()),
                _digest(archive, member),
            )
            for member in archive
        }


def _digest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member) if member.isreg() else None
    return hashlib.sha256(file.read()).hexdigest() if file else ""


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for key in one.keys() | other.keys():
        if key != "rootfs" and one.get(key) != other.get(key):
            yield key
