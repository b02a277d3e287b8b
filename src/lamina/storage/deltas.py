"""What is in the images' deltas: what their own builds left beside their packages' files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from lamina.storage.fleet import DeltaFile, Fleet, own_deltas, size_of
from lamina.storage.report import DeltaPart, DeltaStorage, Size, total

_COMPILED = "compiled Python modules"


def delta_storages(fleet: Fleet) -> tuple[DeltaStorage, ...]:
    """Return the deltas of the fleet's images, largest first; compiled modules count together."""
    return tuple(sorted(_deltas(fleet), key=lambda one: (-one.size.uncompressed, one.image)))


def median_size(deltas: Sequence[DeltaStorage]) -> Size:
    """Return the median of the deltas' sizes."""
    if not deltas:
        return total(())
    return Size(
        uncompressed=round(median(one.size.uncompressed for one in deltas)),
        compressed=round(median(one.size.compressed for one in deltas)),
    )


def _deltas(fleet: Fleet) -> Iterator[DeltaStorage]:
    for image in fleet.images:
        layers = own_deltas(image)
        files = [file for layer in layers for file in fleet.deltas[layer.digest]]
        yield DeltaStorage(
            image=image.id,
            size=total(map(size_of, layers)),
            files=len(files),
            parts=_parts(files),
        )


def _parts(files: Iterable[DeltaFile]) -> tuple[DeltaPart, ...]:
    sizes: Counter[str] = Counter()
    for file in files:
        sizes[_COMPILED if file.path.endswith(".pyc") else f"/{file.path}"] += file.size
    parts = (DeltaPart(name=name, size=size) for name, size in sizes.items() if size)
    return tuple(sorted(parts, key=lambda part: (-part.size, part.name)))
