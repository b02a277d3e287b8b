"""Which of the images that would have to be built others have built already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from lamina.cache.agreement import Documents, Wanted, documents_of
from lamina.cache.record import RECORD_TYPE, key_tag
from lamina.errors import NetworkError
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.event import Listener, Note
from lamina.model.image import Image, ImageId
from lamina.registry.artifacts import Source, get_artifact
from lamina.store.built_json import from_json

_AT_ONCE = 8  # questions to a registry, which are small


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A namespace that is trusted with images."""

    name: str  # `registry.example.org/fleet`
    source: Source
    repository: Callable[[Image], str]  # where it has an image


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """An image that a cache has, and what it consists of beside its layers."""

    built: Built
    documents: Documents
    cache: Cache
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quest:
    """What is looked for."""

    images: Sequence[Image]  # that would have to be built, parents before children
    current: Mapping[ImageId, Built]  # what the store has of all others
    known: Callable[[Digest], Built | None]  # what the store has with a key
    wanted: Callable[[Image, Built | None], Wanted]  # an image over its parent


def find_cached(
    quest: Quest, caches: Sequence[Cache], *, listener: Listener
) -> Mapping[ImageId, Cached]:
    """Return which images of `quest` the caches have, parents before children.

    The first cache that has an image counts. Below an image that neither store nor cache has,
    nothing is asked for: what it will be is not known before it is built. A cache that cannot be
    used is told of once, and asked no more.
    """
    asked = _Caches(caches, listener)
    found: dict[ImageId, Cached] = {}
    sought = {image.id for image in quest.images}
    settled = {id_: built for id_, built in quest.current.items() if id_ not in sought}
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        for level in _levels(quest.images):
            lacking = []
            for image in level:
                if image.parent and image.parent not in settled:
                    continue
                parent = settled[image.parent] if image.parent else None
                wanted = quest.wanted(image, parent)
                if there := quest.known(wanted.key):
                    settled[image.id] = there
                else:
                    lacking.append(wanted)
            try:
                answers = list(workers.map(asked.find, lacking))
            except BaseException:
                for cache in caches:
                    cache.source.stop()  # or an answer would be waited for
                raise
            for wanted, cached in zip(lacking, answers, strict=True):
                if cached:
                    found[wanted.image.id] = cached
                    settled[wanted.image.id] = cached.built
    return found


def _levels(images: Sequence[Image]) -> Iterator[Sequence[Image]]:
    """Yield the images by how many of their ancestors are among them."""
    depths: dict[ImageId, int] = {}
    for image in images:
        above = depths.get(image.parent, -1) if image.parent else -1
        depths[image.id] = above + 1
    for depth in range(max(depths.values(), default=-1) + 1):
        yield [image for image in images if depths[image.id] == depth]


class _Caches:
    """The caches that can still be asked."""

    def __init__(self, caches: Sequence[Cache], listener: Listener) -> None:
        self._caches = caches
        self._listener = listener
        self._useless: set[str] = set()
        self._lock = Lock()

    def find(self, wanted: Wanted) -> Cached | None:
        """Return the image if a cache has it."""
        for cache in self._caches:
            if cache.name in self._useless:
                continue
            try:
                if found := _found(cache, wanted):
                    return found
            except NetworkError as error:
                self._give_up(cache, error)
            except ValueError as error:
                self._note(
                    f"{wanted.image.id}: what the cache {cache.name} has of it is refused: {error}"
                )
        return None

    def _give_up(self, cache: Cache, error: NetworkError) -> None:
        with self._lock:
            if cache.name in self._useless:
                return
            self._useless.add(cache.name)
        self._note(f"the cache {cache.name} cannot be used, and is done without: {error}")

    def _note(self, message: str) -> None:
        with self._lock:
            self._listener(Note(message=message))


def _found(cache: Cache, wanted: Wanted) -> Cached | None:
    """Return the image if the cache has it; `ValueError` for a record that is not of this one."""
    repository = cache.repository(wanted.image)
    record = get_artifact(cache.source, repository, key_tag(wanted.key), RECORD_TYPE)
    if record is None:
        return None
    built = from_json(record.content)
    documents = documents_of(wanted, built)
    return Cached(built=built, documents=documents, cache=cache, repository=repository)
