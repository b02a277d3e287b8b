"""What changed in an image: its two states found, read and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import assert_never

from lamina.build.lineage import Find, finder, lineage
from lamina.diff import (
    Blobs,
    Content,
    ImageDiff,
    Packages,
    Prefix,
    Reference,
    Side,
    Word,
    compare,
    final_files,
    find_manifest,
    groups_of,
    locked_line,
    locked_packages,
    packages_of,
    parse_reference,
)
from lamina.errors import Fault, StoreError, UsageError
from lamina.lock import read_lock
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import Doing, Listener
from lamina.model.image import ImageId
from lamina.model.lock import Lock
from lamina.model.names import parse_name
from lamina.model.spelling import did_you_mean
from lamina.oci.image import read_runtime
from lamina.oci.listing import Listed, list_layer
from lamina.pipeline.fleet import current, load
from lamina.plan import inputs_of
from lamina.settings import Settings
from lamina.store.records import Current
from lamina.store.store import Store

_STATES = "a lock's path, or at least 8 hex digits of a manifest's digest"
_SAY = f"say {_STATES}"

_List = Callable[[Digest], Sequence[Listed]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The image whose states are compared, and where they are looked for."""

    catalog: Catalog
    image: ImageId
    store: Store
    there: Current
    find: Find


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What was found for one side: a lock, a built image, or a lock whose image is built."""

    name: str
    lock: Lock | None
    built: Built | None


def diff(settings: Settings, name: str, old: str, new: str, *, listener: Listener) -> ImageDiff:
    """Return what changed in an image from `old` to `new`, each as `parse_reference` reads it.

    Raises `UsageError` when one of them is not there, `LockError` for a broken lock, and
    `StoreError` when what the store has of a build is damaged.
    """
    references = parse_reference(old), parse_reference(new)
    catalog = load(settings)
    image = parse_name(name, catalog)
    store = Store.open(settings.store)
    with store.in_use():
        there = current(settings)
        place = _Place(
            catalog=catalog,
            image=image,
            store=store,
            there=there,
            find=finder(store, there.images),
        )
        before, after = _state(place, references[0]), _state(place, references[1])
        if before.built and after.built and before.built.manifest != after.built.manifest:
            listener(Doing(message=f"reading the layers of {image}"))
            listed = _lister(store)
        else:
            listed = _unlisted  # nobody asks for files that are all the same
        return compare(_side(place, before, listed), _side(place, after, listed))


def _state(place: _Place, reference: Reference) -> _State:
    """Return the state that is meant."""
    name = str(reference)
    match reference:
        case Word.CURRENT:
            return _State(name=name, lock=None, built=_current(place))
        case Word.PREVIOUS:
            return _State(name=name, lock=None, built=_previous(place))
        case Prefix():
            return _State(name=name, lock=None, built=_with_manifest(place, reference))
        case Path():
            lock = _lock(place, reference)
            return _State(name=name, lock=lock, built=_built_from(place, lock))
    assert_never(reference)


def _current(place: _Place) -> Built:
    """Return the image that is tagged."""
    if place.image in place.there.images:
        return place.there.images[place.image]
    if fault := place.there.damaged.get(place.image) or place.there.index:
        raise StoreError(fault)
    raise UsageError.one(
        "it is not built", place=str(place.image), remedy=f"run `lamina build {place.image}`"
    )


def _previous(place: _Place) -> Built:
    """Return the image that was tagged before the one that is, with another manifest."""
    key = place.store.records.previous(place.catalog.distro.name, place.image)
    if key is None:
        _current(place)  # says so if it was never built at all
        raise UsageError.one("it has no previous build", place=str(place.image), remedy=_SAY)
    found = place.store.find_built(key)
    if isinstance(found, Built):
        return found
    why = found.message if found else "it was deleted"
    raise UsageError.one(
        f"its previous build is no longer in the store: {why}", place=str(place.image), remedy=_SAY
    )


def _with_manifest(place: _Place, prefix: Prefix) -> Built:
    """Return the image whose manifest begins so."""
    records = place.store.records
    read = (records.read(key) for key in records.keys())  # noqa: SIM118 - no mapping
    known = {built.manifest: built for built in read if isinstance(built, Built)}
    images = {manifest: built.id for manifest, built in known.items()}
    found = place.store.find_built(known[find_manifest(prefix, images, place.image)].key)
    if isinstance(found, Built):
        return found
    why = found.message if found else "it was deleted"
    raise StoreError.one(f"the image cannot be read: {why}", place=str(prefix), remedy=_SAY)


def _lock(place: _Place, path: Path) -> Lock:
    """Return the lock at a path; raise `UsageError` when it has no such image."""
    if not path.exists():
        remedy = did_you_mean(str(path), Word, otherwise=f"say `current`, `previous`, {_STATES}")
        raise UsageError.one("there is no such lock", place=str(path), remedy=remedy)
    lock = read_lock(path)
    distro = place.catalog.distro
    if (lock.distro, lock.architecture) != (distro.name, distro.architecture):
        raise UsageError.one(
            f"the lock is for {lock.distro} {lock.architecture}, "
            f"the catalogue for {distro.name} {distro.architecture}",
            place=str(path),
            remedy=f"give `--distro {lock.distro}`, or another lock",
        )
    if place.image not in lock.by_id():
        known = map(str, lock.by_id())
        remedy = did_you_mean(str(place.image), known, otherwise="give a lock that has it")
        raise UsageError.one(
            f"the lock has no image '{place.image}'", place=str(path), remedy=remedy
        )
    return lock


def _built_from(place: _Place, lock: Lock) -> Built | None:
    """Return the image as it was built from the lock and this catalogue, if the store has it."""
    images, locked = place.catalog.by_id(), lock.by_id()
    built: Built | None = None
    for id_ in locked_line(lock, place.image):
        if id_ not in images:
            return None
        inputs = inputs_of(
            images[id_],
            locked[id_],
            distro=place.catalog.distro,
            lock=lock,
            parent=built.manifest if built else None,
        )
        found = place.store.find_built(inputs.key())
        if not isinstance(found, Built):
            return None
        built = found
    return built


def _side(place: _Place, state: _State, listed: _List) -> Side:
    """Return all that is known of a state."""
    lock, built = state.lock, state.built
    return Side(
        name=state.name,
        image=place.image,
        packages=locked_packages(lock, place.image) if lock else _packages(place, built),
        groups=groups_of(lock, place.image) if lock else None,
        content=_content(place.store, built, listed) if built else None,
    )


def _packages(place: _Place, built: Built | None) -> Packages:
    """Return the packages of a built image."""
    if built is None:
        return {}
    line = [(one.id, one.units) for one in lineage(built, place.find)]
    return packages_of(line, architecture=place.catalog.distro.architecture)


def _content(store: Store, built: Built, listed: _List) -> Content:
    """Return what a built image consists of."""
    with _damage_told(built.id):
        config = store.layout.read_blob(built.config)
        return Content(
            manifest=built.manifest,
            blobs=Blobs(
                documents={built.manifest: built.manifest_size, built.config: len(config)},
                layers=built.layers,
            ),
            files=final_files(listed(layer.digest) for layer in built.layers),
            runtime=read_runtime(config),
        )


def _lister(store: Store) -> _List:
    """Return a function that lists the layer with a digest, each once."""

    @cache
    def listed(digest: Digest) -> Sequence[Listed]:
        with store.layout.open_blob(digest) as blob:
            return list_layer(blob)

    return listed


def _unlisted(_digest: Digest) -> Sequence[Listed]:
    return ()


@contextmanager
def _damage_told(image: ImageId) -> Iterator[None]:
    """Say of damage in the block which image it is in, and what helps."""
    try:
        yield
    except StoreError as error:
        remedy = f"`lamina build {image}` mends what is current; earlier builds are lost"
        raise StoreError(
            *(Fault(str(image), fault.message, remedy) for fault in error.faults)
        ) from error
