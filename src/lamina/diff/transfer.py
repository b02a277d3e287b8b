"""What must be sent for one image to where another one is already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lamina.model.built import Layer
from lamina.model.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Compressed bytes.

    A registry finds any blob by its digest, and so do nodes with containerd or podman. Other nodes
    share layers only by equal prefixes: they fetch every layer from the first that differs on.
    """

    blobs: int
    prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """What an image consists of in a registry."""

    documents: Mapping[Digest, int]  # manifest and configuration, with their sizes
    layers: tuple[Layer, ...]


def transfer(old: Blobs, new: Blobs) -> Transfer:
    """Return what is to be sent for `new` to where `old` is."""
    documents = sum(new.documents[blob] for blob in new.documents.keys() - old.documents.keys())
    there = {layer.digest for layer in old.layers}
    same = _same(old.layers, new.layers)
    return Transfer(
        blobs=documents + _size(layer for layer in new.layers if layer.digest not in there),
        prefix=documents + _size(new.layers[same:]),
    )


def _same(old: Sequence[Layer], new: Sequence[Layer]) -> int:
    """Return how many layers are equal before the first that differs."""
    for number, (one, other) in enumerate(zip(old, new, strict=False)):
        if one.digest != other.digest:
            return number
    return min(len(old), len(new))


def _size(layers: Iterable[Layer]) -> int:
    """Return the bytes of the blobs, each once."""
    return sum({layer.digest: layer.size for layer in layers}.values())
