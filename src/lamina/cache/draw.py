"""Images taken from a cache into the store, as if they had been built there."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from lamina.cache.find import Cache, Cached
from lamina.errors import NetworkError, StoreError
from lamina.model.built import Built, Layer
from lamina.model.digest import Digest
from lamina.model.event import Doing, Downloaded, Listener, Note
from lamina.model.image import ImageId
from lamina.oci.upper import restore_upper
from lamina.store.layers import made_of
from lamina.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """A layer that the store does not have, and who has it."""

    layer: Layer
    cache: Cache
    repository: str


def draw_cached(
    found: Mapping[ImageId, Cached], store: Store, *, jobs: int, listener: Listener
) -> Mapping[ImageId, Built]:
    """Take the images that were found into the store; return those that came whole.

    A layer that the store has is not pulled, and no layer is pulled twice. What is refused or
    cannot be had is told as a note, and so is what stands on it: a build makes them. The images
    are recorded, not tagged.
    """
    pulls = _pulls(found, store)
    if pulls:
        layers = "1 layer" if len(pulls) == 1 else f"{len(pulls)} layers"
        listener(Doing(message=f"pulling {layers} of {len(found)} images"))
    lost = _pull_all(pulls, store, jobs=jobs, listener=listener)
    drawn: dict[ImageId, Built] = {}
    gone: set[Digest] = set()
    for image, cached in found.items():
        why = next((lost[each.digest] for each in cached.built.layers if each.digest in lost), "")
        if not why and cached.built.parent in gone:
            why = "what it stands on could not be taken"
        if not why:
            why = _kept(cached, store)
        if why:
            gone.add(cached.built.manifest)
            name = cached.cache.name
            listener(Note(message=f"{image}: not taken from the cache {name}: {why}"))
        else:
            drawn[image] = replace(cached.built, id=image)
    return drawn


def _pulls(found: Mapping[ImageId, Cached], store: Store) -> tuple[_Pull, ...]:
    """Return what has to be pulled, the largest first."""
    lacking: dict[Digest, _Pull] = {}
    for cached in found.values():
        for layer in cached.built.layers:
            if store.layout.blob_size(layer.digest) != layer.size:
                pull = _Pull(layer=layer, cache=cached.cache, repository=cached.repository)
                lacking.setdefault(layer.digest, pull)
    return tuple(sorted(lacking.values(), key=lambda pull: (-pull.layer.size, pull.layer.digest)))


def _pull_all(
    pulls: tuple[_Pull, ...], store: Store, *, jobs: int, listener: Listener
) -> Mapping[Digest, str]:
    """Pull layers into the store; return why some could not be had."""
    lost: dict[Digest, str] = {}
    total, done = sum(pull.layer.size for pull in pulls), 0
    with store.work_folder() as work, ThreadPoolExecutor(jobs) as workers:
        running = {workers.submit(_pull, pull, store, work): pull for pull in pulls}
        try:
            for future in as_completed(running):
                try:
                    future.result()
                except NetworkError as error:
                    lost[running[future].layer.digest] = str(error)
                done += running[future].layer.size
                listener(Downloaded(done=done, total=total))
        except BaseException:
            for pull in pulls:
                pull.cache.source.stop()  # or what is being pulled would be waited for
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    return lost


def _pull(pull: _Pull, store: Store, work: Path) -> None:
    layer = pull.layer
    path = work / layer.digest.hex
    place = f"{pull.cache.name}: {pull.repository}"
    if not pull.cache.source.pull_blob(pull.repository, layer.digest, path):
        raise NetworkError.one(f"the blob {layer.digest} is not there", place=place)
    # The manifest says its size, too, and was made of what the record says.
    if path.stat().st_size != layer.size or not store.layout.adopt_blob(path, layer.digest):
        raise NetworkError.one(f"the blob {layer.digest} has other content", place=place)


def _kept(cached: Cached, store: Store) -> str:
    """Put an image whose layers are there into the store; return why not if it is refused."""
    built = cached.built
    with store.work_folder() as work:
        upper = work / "upper"
        upper.mkdir()
        # What everybody finds as the root directory, whatever lamina's umask is.
        upper.chmod(0o755)
        delta = built.layers[-1] if built.own_layers and not built.layers[-1].parts else None
        if delta:
            try:
                with store.layout.open_blob(delta.digest) as blob:
                    restore_upper(blob, upper, diff_id=delta.diff_id, mtime_limit=built.epoch)
            except StoreError as error:
                return str(error)
        store.layout.write_blob(cached.documents.config)
        store.layout.write_blob(cached.documents.manifest)
        store.keep_delta(upper, built.manifest)
    _keep_layers(built, store)
    store.save_built(built)
    return ""


def _keep_layers(built: Built, store: Store) -> None:
    """Record what the image's layers of units are made of, so that no build writes them again."""
    for layer in built.layers[len(built.layers) - built.own_layers :]:
        units = set(layer.units)
        # In this order they were put on top of each other.
        trees = [tree for unit, tree in built.trees.items() if unit in units]
        if units and len(trees) == len(units):
            store.layers.keep(made_of(trees), layer)
