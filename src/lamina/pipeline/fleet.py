"""The stages that look: catalogue, selection, plan, what nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamina.build.making import locked_units
from lamina.catalog import default_folder, distro_names, load_catalog
from lamina.lock import (
    read_lock,
)
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import Listener, Note
from lamina.model.image import ImageId
from lamina.model.lock import Lock
from lamina.model.plan import Plan
from lamina.model.selection import Selection, of_kind, select
from lamina.pipeline.untested import with_tests
from lamina.plan import make_plan
from lamina.settings import Settings
from lamina.store.gc import Sweep, collect, plan_gc, read_contents
from lamina.store.records import Current
from lamina.store.store import Store


def load(settings: Settings) -> Catalog:
    """Return the default catalogue with the settings' own laid over it."""
    return load_catalog(_folders(settings), settings.distro, architecture=settings.architecture)


def distros(settings: Settings) -> tuple[str, ...]:
    """Return the names of the distributions that the catalogue knows, sorted."""
    return distro_names(_folders(settings))


def choose(settings: Settings, catalog: Catalog, selection: Selection) -> tuple[ImageId, ...]:
    """Return the selected images."""
    chosen = select(catalog, selection.terms, profiles=settings.profiles)
    return of_kind(catalog, chosen, selection.kind)


def current(settings: Settings) -> Current:
    """Return the images that the store has for the settings' distribution."""
    if not settings.store.exists():
        return Current(images={}, damaged={}, index=None)
    return Store(settings.store).read_current(settings.distro)


def plan(settings: Settings, catalog: Catalog, lock: Lock, selection: Sequence[ImageId]) -> Plan:
    """Return what a build of the selection would do without the caches of the settings."""
    images = current(settings).images
    return with_tests(make_plan(catalog, lock, images, selection), catalog, images)


def garbage(settings: Settings) -> Sweep:
    """Return what of the store neither a tag nor the lock needs."""
    return plan_gc(read_contents(Store.open(settings.store)), _locked(settings))


def collect_garbage(settings: Settings, *, listener: Listener) -> Sweep:
    """Delete that, once no other process uses the store; return what it was."""
    waits = Note(message="waiting for other processes that use the store")
    return collect(Store.open(settings.store), _locked(settings), on_wait=lambda: listener(waits))


def _folders(settings: Settings) -> tuple[Path, ...]:
    return (default_folder(), *settings.catalogs)


def _locked(settings: Settings) -> frozenset[Digest]:
    return locked_units(read_lock(settings.lock)) if settings.lock.exists() else frozenset()
