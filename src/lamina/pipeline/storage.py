"""What the fleet's storage is made of, with what has to be measured for that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lamina.build.lineage import finder, lineage
from lamina.lock import read_lock
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import Lock
from lamina.model.selection import with_ancestors
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.layer import write_layer
from lamina.oci.layout import Layout
from lamina.oci.tree import scan_upper
from lamina.pipeline.fleet import current
from lamina.settings import Settings
from lamina.storage import (
    DeltaFile,
    Fleet,
    Known,
    Line,
    Size,
    Squash,
    StorageReport,
    Update,
    make_page,
    make_report,
    make_update,
    needed_squashes,
    own_deltas,
    size_of,
    squash_deltas,
)
from lamina.store.store import Store


def storage(settings: Settings, catalog: Catalog, selection: Sequence[ImageId]) -> StorageReport:
    """Return what the selected images weigh, as far as the store has them.

    Raises `StoreError` when something that they are built over is gone.
    """
    images = current(settings).images
    chosen = [images[image] for image in selection if image in images]
    families = {image.id: image.family for image in catalog.images}
    if not chosen:
        return make_report(Fleet(lines=(), families=families, configs={}, squashes={}, deltas={}))
    store = Store.open(settings.store)
    with store.in_use():
        find = finder(store, images)
        lines = tuple(lineage(built, find) for built in chosen)
        deltas = _scanned(store, lines)
        return make_report(
            Fleet(
                lines=lines,
                families=families,
                configs=_config_sizes(store, chosen),
                squashes=_measured(store, lines, deltas),
                deltas={delta: _files(entries) for delta, entries in deltas.items()},
            )
        )


def storage_page(settings: Settings, report: StorageReport) -> str:
    """Return the report as an HTML page, with how the last build went."""
    return make_page(report, Store(settings.store).history.last(settings.distro))


def storage_update(
    settings: Settings, catalog: Catalog, selection: Collection[ImageId], before: Path
) -> Update:
    """Return what the selected images cost whoever has what the lock file `before` says.

    What they stand on counts too. Raises `LockError` when one of the two locks cannot be read.
    """
    images = current(settings).images
    known = Known.of(images, _config_sizes(Store(settings.store), images.values()))
    chosen = frozenset(with_ancestors(catalog, selection))
    after = read_lock(settings.lock)
    return make_update(read_lock(before), _only(after, chosen), known)


def _only(lock: Lock, chosen: Collection[ImageId]) -> Lock:
    return replace(lock, images=tuple(image for image in lock.images if image.id in chosen))


def _config_sizes(store: Store, images: Iterable[Built]) -> Mapping[Digest, int]:
    return {image.config: store.layout.blob_size(image.config) or 0 for image in images}


def _scanned(store: Store, lines: Sequence[Line]) -> Mapping[Digest, Sequence[Entry]]:
    """Return what is in all deltas, by their layers' blobs."""
    images = {
        layer.digest: image for line in lines for image in line for layer in own_deltas(image)
    }
    return {delta: scan_upper(store.delta_path(image.manifest)) for delta, image in images.items()}


def _files(entries: Iterable[Entry]) -> tuple[DeltaFile, ...]:
    return tuple(
        DeltaFile(path=entry.path, size=entry.size)
        for entry in entries
        if entry.kind is EntryKind.FILE
    )


def _measured(
    store: Store, lines: Sequence[Line], deltas: Mapping[Digest, Sequence[Entry]]
) -> Mapping[Squash, Size]:
    """Squash the deltas that have to be, compress them as layers are, and return their sizes."""
    mtime_limit = max((image.epoch for line in lines for image in line), default=0)
    measured: dict[Squash, Size] = {}
    with store.work_folder() as work:
        # The work folder itself is claimed, and a layout locks its own.
        layout = Layout(work / "layout")
        layout.create()
        for squash in needed_squashes(lines):
            merged = squash_deltas([deltas[one] for one in squash.deltas], rooted=squash.rooted)
            layer = write_layer(merged, layout, mtime_limit=mtime_limit)
            layout.blob_path(layer.digest).unlink()
            measured[squash] = size_of(layer)
    return measured
