"""What nothing needs any more, and its removal."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

from lamina.errors import StoreError
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.oci.layout import Layout
from lamina.store.store import Store

# In the order of removal: without its record, all else of an image is garbage. Plain files go
# before folders, for these are first moved aside, which takes room on a full disk.
Folder = Literal["built", "layers", "blobs", "downloads", "deltas", "units"]
_ORDER: tuple[Folder, ...] = ("built", "layers", "blobs", "downloads", "deltas", "units")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What lies in a store. All sizes are in bytes."""

    tagged: frozenset[Digest]  # manifests
    records: Mapping[Digest, Built | None]  # by key; `None` for one that cannot be read
    references: Mapping[Digest, frozenset[Digest]]  # blobs that tagged manifests name
    layers: Mapping[Digest, Digest | None]  # what written layers were made of, and their blobs
    sizes: Mapping[Folder, Mapping[Digest, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One thing that nothing needs."""

    folder: Folder
    digest: Digest
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is to be removed, in order, and how much stays."""

    removals: tuple[Removal, ...]
    kept: int  # things
    kept_size: int  # bytes

    @property
    def size(self) -> int:
        """How many bytes are removed."""
        return sum(removal.size for removal in self.removals)


def plan_gc(contents: Contents, locked: Collection[Digest]) -> Sweep:
    """Return what neither a tag nor a lock needs.

    A tag needs its image, the images that this was built over, and the units of all of them. A
    lock needs its packages and units, whose digests are `locked`. Nothing is touched.
    """
    manifests = _with_ancestors(contents)
    images = [built for built in contents.records.values() if built and built.manifest in manifests]
    blobs = set(manifests)
    for named in contents.references.values():
        blobs |= named
    for built in images:
        blobs |= {built.config, *(layer.digest for layer in built.layers)}
    units = {unit.digest for built in images for unit in built.units}
    units |= {tree for built in images for tree in built.trees.values()}
    units |= set(locked)
    needed: Mapping[Folder, Collection[Digest]] = {
        "built": {built.key for built in images},
        "layers": {made_of for made_of, blob in contents.layers.items() if blob in blobs},
        "blobs": blobs,
        "downloads": units,
        "deltas": manifests,
        "units": units,
    }
    removals = tuple(
        Removal(folder=folder, digest=digest, size=size)
        for folder in _ORDER
        for digest, size in sorted(contents.sizes[folder].items())
        if digest not in needed[folder]
    )
    total = sum(sum(sizes.values()) for sizes in contents.sizes.values())
    return Sweep(
        removals=removals,
        kept=sum(len(sizes) for sizes in contents.sizes.values()) - len(removals),
        kept_size=total - sum(removal.size for removal in removals),
    )


def read_contents(store: Store) -> Contents:
    """Return what lies in the store.

    Raises `StoreError` when the index is damaged: then nobody knows what is tagged.
    """
    tagged = frozenset(descriptor.digest for descriptor in store.layout.index())
    records = {key: store.records.read(key) for key in store.records.keys()}  # noqa: SIM118
    return Contents(
        tagged=tagged,
        records={key: b if isinstance(b, Built) else None for key, b in records.items()},
        references={manifest: _references(store.layout, manifest) for manifest in tagged},
        layers={made_of: layer.digest if layer else None for made_of, layer in store.layers.all()},
        sizes={
            "built": {key: _size(store.records.path(key)) for key in records},
            "layers": _sizes(store.layers.folder),
            "blobs": store.layout.blobs(),
            "downloads": _sizes(store.downloads),
            "deltas": _sizes(store.deltas),
            "units": _sizes(store.units),
        },
    )


def collect(
    store: Store, locked: Collection[Digest], *, on_wait: Callable[[], None] | None = None
) -> Sweep:
    """Remove what neither a tag nor a lock needs, and return what that was; see `plan_gc`.

    Waits until no other process is in a block of `Store.in_use`; `on_wait` is called once if
    there is one.
    """
    with store.alone(on_wait=on_wait):
        sweep = plan_gc(read_contents(store), locked)
        for removal in sweep.removals:
            _remove(store, removal)
    return sweep


def _with_ancestors(contents: Contents) -> frozenset[Digest]:
    """Return the tagged manifests and those of all images that they were built over."""
    parents = {
        built.manifest: built.parent for built in contents.records.values() if built is not None
    }
    found = set(contents.tagged)
    waiting = deque(contents.tagged)
    while waiting:
        parent = parents.get(waiting.popleft())
        if parent is not None and parent not in found:
            found.add(parent)
            waiting.append(parent)
    return frozenset(found)


def _references(layout: Layout, manifest: Digest) -> frozenset[Digest]:
    """Return the blobs that a manifest names; none if it cannot be read."""
    if layout.verify_blob(manifest):
        return frozenset()
    try:
        raw = json.loads(layout.read_blob(manifest))
        return frozenset(Digest.parse(item["digest"]) for item in (raw["config"], *raw["layers"]))
    except (StoreError, ValueError, KeyError, TypeError):
        return frozenset()


def _sizes(folder: Path) -> dict[Digest, int]:
    """Return the sizes of what is named by a digest in the folder."""
    with os.scandir(folder) as items:
        named = [item for item in items if _is_digest(item.name)]
    return {Digest(item.name): _size(Path(item.path)) for item in named}


def _is_digest(name: str) -> bool:
    """Tell whether a file's name is that of a digest."""
    try:
        Digest(name)
    except ValueError:
        return False
    return True


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(_file_sizes(os.fspath(path)))


def _file_sizes(folder: str) -> Iterable[int]:
    """Yield the sizes of all files in a folder."""
    with os.scandir(folder) as items:
        for item in items:
            if item.is_dir(follow_symlinks=False):
                yield from _file_sizes(item.path)
            else:
                yield item.stat(follow_symlinks=False).st_size


def _remove(store: Store, removal: Removal) -> None:
    """Remove one thing from the store."""
    match removal.folder:
        case "built":
            store.discard(store.records.path(removal.digest))
        case "layers":
            store.discard(store.layers.path(removal.digest))
        case "blobs":
            store.discard(store.layout.blob_path(removal.digest))
        case "downloads":
            store.discard(store.download_path(removal.digest))
        case "deltas":
            store.discard_delta(removal.digest)
        case "units":
            store.discard_unit(removal.digest)
        case _:
            assert_never(removal.folder)
