"""What caches have of the images that would have to be built, and its way into the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from lamina.cache import Cache, Cached, Quest, Wanted, draw_cached, find_cached
from lamina.model.built import Built
from lamina.model.catalog import Catalog, Distro
from lamina.model.digest import Digest
from lamina.model.event import Doing, Listener
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock
from lamina.model.names import Scheme, print_names
from lamina.model.plan import Plan
from lamina.model.reference import Namespace
from lamina.pipeline.fleet import current
from lamina.pipeline.untested import with_tests
from lamina.plan import inputs_of, make_plan, with_pulls
from lamina.registry import Patience, open_registry
from lamina.settings import Settings
from lamina.store.store import Store

_TAG = "latest"  # of names whose tag has no say
_PATIENCE = Patience(connect=5.0, silence=30.0, attempts=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """Images that are in the store, not tagged yet, and the names of the caches they came from."""

    images: Mapping[ImageId, Built]
    places: Mapping[ImageId, str]


def plan_with_caches(
    settings: Settings,
    catalog: Catalog,
    lock: Lock,
    selection: Sequence[ImageId],
    *,
    listener: Listener,
) -> Plan:
    """Return what a build of the selection would do, the caches of the settings asked.

    Nothing is pulled but records.
    """
    images = current(settings).images
    plan = make_plan(catalog, lock, images, selection)
    with _found(settings, catalog, lock, images, plan, listener=listener) as found:
        there = {**images, **{image: cached.built for image, cached in found.items()}}
        places = {image: cached.cache.name for image, cached in found.items()}
    plan = with_pulls(make_plan(catalog, lock, there, selection), places)
    return with_tests(plan, catalog, there)


def pull_planned(
    settings: Settings,
    catalog: Catalog,
    lock: Lock,
    images: Mapping[ImageId, Built],
    plan: Plan,
    *,
    listener: Listener,
) -> Pulled:
    """Take into the store what the caches have of images that `plan` builds; see `Pulled`.

    `images` are what the store has.
    """
    with _found(settings, catalog, lock, images, plan, listener=listener) as found:
        store = Store.open(settings.store)
        drawn = draw_cached(found, store, jobs=settings.jobs, listener=listener)
        return Pulled(images=drawn, places={image: found[image].cache.name for image in drawn})


@contextmanager
def _found(
    settings: Settings,
    catalog: Catalog,
    lock: Lock,
    images: Mapping[ImageId, Built],
    plan: Plan,
    *,
    listener: Listener,
) -> Iterator[Mapping[ImageId, Cached]]:
    """Give what caches have of images that `plan` builds, while these can be asked for more."""
    sought = frozenset(plan.with_action("build"))
    if not settings.caches or not sought:
        yield {}
        return
    locked = lock.by_id()

    def wanted(image: Image, parent: Built | None) -> Wanted:
        entry = locked[image.id]
        over = parent.manifest if parent else None
        return Wanted(
            image=image,
            parent=parent,
            inputs=inputs_of(image, entry, distro=catalog.distro, lock=lock, parent=over),
            units=lock.units_of(entry),
            architecture=lock.architecture,
        )

    quest = Quest(
        images=tuple(image for image in catalog.images if image.id in sought),
        current=images,
        known=partial(_known, settings),
        wanted=wanted,
    )
    listener(Doing(message=f"asking {' and '.join(map(str, settings.caches))} for what is built"))
    with _open(settings, catalog.distro) as caches:
        yield find_cached(quest, caches, listener=listener)


def _known(settings: Settings, key: Digest) -> Built | None:
    """Return what the store has with a key."""
    if not settings.store.exists():
        return None
    found = Store(settings.store).find_built(key)
    return found if isinstance(found, Built) else None


@contextmanager
def _open(settings: Settings, distro: Distro) -> Iterator[Sequence[Cache]]:
    # A build does not wait long for what it can make itself.
    access = replace(settings.access, patience=_PATIENCE)
    with ExitStack() as stack:
        yield [
            Cache(
                name=str(namespace),
                source=stack.enter_context(open_registry(namespace.registry, access)),
                repository=partial(_repository, distro, namespace),
            )
            for namespace in settings.caches
        ]


def _repository(distro: Distro, namespace: Namespace, image: Image) -> str:
    """Return where a namespace has an image, by its name in the scheme `split`."""
    (name,) = print_names(image, distro, Scheme.SPLIT, tag=_TAG)
    return namespace.repository(name.partition(":")[0])
