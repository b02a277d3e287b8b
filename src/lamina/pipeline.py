"""The stages in their order: the whole program on one screen.

Stages do not know each other. Each function takes settings and what earlier stages made, and
hands on what comes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event

from lamina.build.damage import Check, Damages, blob_check, find_damages, mount_check
from lamina.build.fleet import Order, RunResult, build_fleet
from lamina.build.lineage import finder, lineage, mountable
from lamina.build.proof import tests_digest
from lamina.build.retest import retest
from lamina.build.units import Units
from lamina.build.visit import visit
from lamina.catalog import default_folder, load_catalog
from lamina.errors import Fault, LockError, UsageError
from lamina.export import check_destination, export_image
from lamina.lock import (
    LockChange,
    Source,
    check_lock,
    compare_locks,
    lock_fleet,
    lock_text,
    read_lock,
    used_repositories,
    write_lock,
)
from lamina.mirrors import find_mirrors
from lamina.model.built import Built, Inputs
from lamina.model.catalog import Catalog
from lamina.model.destination import Destination
from lamina.model.digest import Digest
from lamina.model.event import Doing, ImageDone, Listener, Note, Planned
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock
from lamina.model.names import Scheme, parse_name, print_names
from lamina.model.plan import Plan
from lamina.model.selection import select, with_ancestors
from lamina.oci.image import read_runtime
from lamina.plan import inputs_of, make_plan, refuse_unbuildable
from lamina.settings import Settings
from lamina.storage import StorageReport, make_report
from lamina.store.gc import Sweep, collect, plan_gc, read_contents
from lamina.store.records import Current
from lamina.store.store import Store

TAG = "latest"  # of the names in the store's own layout
_DIFFERENCES = 10  # between lock and catalogue that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocked:
    """A lock that was brought up to the catalogue, and what moved; None for a first lock."""

    lock: Lock
    change: LockChange | None
    written: bool


def load(settings: Settings) -> Catalog:
    """Return the default catalogue with the settings' own laid over it."""
    folders = (default_folder(), *settings.catalogs)
    return load_catalog(folders, settings.distro, architecture=settings.architecture)


def choose(settings: Settings, catalog: Catalog, terms: Sequence[str]) -> tuple[ImageId, ...]:
    """Return the images that the terms select; none select all."""
    return select(catalog, terms, profiles=settings.profiles)


def current(settings: Settings) -> Current:
    """Return the images that the store has for the settings' distribution."""
    if not settings.store.exists():
        return Current(images={}, damaged={}, index=None)
    return Store(settings.store).read_current(settings.distro)


def lock(
    settings: Settings, catalog: Catalog, *, update: Collection[ImageId], listener: Listener
) -> Relocked:
    """Bring the lock file up to the catalogue, with newer packages for the images in `update`."""
    before = read_lock(settings.lock) if settings.lock.exists() else None
    after = lock_fleet(
        catalog,
        before,
        update=update,
        source=Source(store=Store.open(settings.store).root, mirrors=settings.mirrors),
        progress=lambda message: listener(Doing(message=message)),
    )
    if after != before:
        write_lock(after, settings.lock)
    change = compare_locks(before, after) if before else None
    return Relocked(lock=after, change=change, written=after != before)


def locked(settings: Settings, catalog: Catalog) -> Lock:
    """Return the lock; raise `LockError` when there is none, or it does not fit the catalogue."""
    found = read_lock(settings.lock)
    differences = check_lock(catalog, found)
    if not differences:
        return found
    told = list(differences[:_DIFFERENCES])
    if rest := len(differences) - len(told):
        told.append(f"and {rest} more")
    message = "\n  ".join(["the lock does not fit the catalogue", *told])
    raise LockError(Fault(str(settings.lock), message, "bring it up to date with `lamina lock`"))


def plan(settings: Settings, catalog: Catalog, lock: Lock, selection: Sequence[ImageId]) -> Plan:
    """Return what a build of the selection would do."""
    return make_plan(catalog, lock, current(settings).images, selection)


def build(
    settings: Settings, terms: Sequence[str], *, listener: Listener, test: bool, verify: bool
) -> RunResult:
    """Build, test and tag what the terms select; without a lock file, lock first.

    With `verify`, everything that the store has of these images is read and checked before, and
    what is damaged is made again. Raises `BuildError` for an image named outright that cannot be
    built.
    """
    catalog = load(settings)
    chosen = choose(settings, catalog, terms)
    refuse_unbuildable(catalog, terms)
    if not settings.lock.exists():
        listener(Note(message=f"there is no {settings.lock.name} yet: it is made first"))
        lock(settings, catalog, update=(), listener=listener)
    if verify:
        store, images = Store(settings.store), current(settings).images
        wanted = [images[image] for image in with_ancestors(catalog, chosen) if image in images]
        _tell(find_damages(wanted, (blob_check(store), mount_check(store, images))), listener)
    return _build(settings, catalog, chosen, listener=listener, test=test)


def _build(
    settings: Settings,
    catalog: Catalog,
    chosen: Sequence[ImageId],
    *,
    listener: Listener,
    test: bool,
) -> RunResult:
    fleet = locked(settings, catalog)
    there = current(settings)
    if there.index:
        listener(Note(message=str(there.index)))
    images = there.images
    steps = make_plan(catalog, fleet, images, chosen)
    listener(
        Planned(
            plan=steps,
            parents={image.id: image.parent for image in catalog.images},
            expected={image: built.seconds for image, built in images.items()},
            jobs=settings.jobs,
        )
    )
    order = _order(settings, catalog, fleet, images, steps, test=test)
    store = Store.open(settings.store)
    tag = partial(_tag, catalog, Digest.of(lock_text(fleet).encode()), store)
    with _units(settings, catalog, store, listener) as units:
        result = build_fleet(order, store, units, tag=tag, listener=listener)
    blocked = {
        step.image: ImageDone(
            image=step.image, outcome="blocked", seconds=0.0, message=step.reasons[0]
        )
        for step in steps.steps
        if step.action == "blocked"
    }
    return RunResult(outcomes={**result.outcomes, **blocked}, built=result.built)


def garbage(settings: Settings) -> Sweep:
    """Return what of the store neither a tag nor the lock needs."""
    return plan_gc(read_contents(Store.open(settings.store)), _locks(settings))


def collect_garbage(settings: Settings, *, listener: Listener) -> Sweep:
    """Delete that, once no other process uses the store; return what it was."""
    waits = Note(message="waiting for other processes that use the store")
    return collect(Store.open(settings.store), _locks(settings), on_wait=lambda: listener(waits))


def storage(settings: Settings, selection: Sequence[ImageId]) -> StorageReport:
    """Return what the selected images weigh, as far as the store has them."""
    images = current(settings).images
    return make_report([images[image] for image in selection if image in images])


def _locks(settings: Settings) -> tuple[Lock, ...]:
    return (read_lock(settings.lock),) if settings.lock.exists() else ()


def _order(
    settings: Settings,
    catalog: Catalog,
    fleet: Lock,
    images: Mapping[ImageId, Built],
    steps: Plan,
    *,
    test: bool,
) -> Order:
    entries = fleet.by_id()

    def inputs(image: Image, parent: Built | None) -> Inputs:
        over = parent.manifest if parent else None
        return inputs_of(image, entries[image.id], distro=catalog.distro, lock=fleet, parent=over)

    by_id = catalog.by_id()
    untested = (
        image
        for image in steps.with_action("keep")
        if by_id[image].tests
        and images[image].tested != tests_digest(by_id[image], images[image].manifest)
    )
    return Order(
        catalog=catalog,
        lock=fleet,
        images=tuple(step.image for step in steps.steps if step.action != "blocked"),
        pending=frozenset((*steps.with_action("build"), *(untested if test else ()))),
        current=images,
        inputs=inputs,
        jobs=settings.jobs,
        test=test,
    )


def _tag(catalog: Catalog, lock_digest: Digest, store: Store, image: Image, built: Built) -> None:
    store.tag(
        catalog.distro.name,
        built,
        print_names(image, catalog.distro, Scheme.SPLIT, tag=TAG),
        {"kind": image.kind, "lock": str(lock_digest)},
    )


def test(settings: Settings, terms: Sequence[str], *, listener: Listener) -> RunResult:
    """Run the tests of the selected images that are built; damaged ones are built again first."""
    catalog = load(settings)
    images = catalog.by_id()
    chosen = choose(settings, catalog, terms)
    if not terms:
        there = current(settings)
        chosen = tuple(image for image in chosen if image in {*there.images, *there.damaged})
    check = mount_check(Store(settings.store), current(settings).images)
    built = _mended(settings, catalog, chosen, check, listener)
    store = Store.open(settings.store)
    pairs = [
        (_as_built(images[image], built[image], store), built[image])
        for image in built
        if images[image].tests
    ]
    with _units(settings, catalog, store, listener) as units:
        return retest(
            pairs,
            store,
            units,
            find=finder(store, current(settings).images),
            distro=settings.distro,
            jobs=settings.jobs,
            listener=listener,
        )


def run(settings: Settings, name: str, command: Sequence[str], *, listener: Listener) -> int:
    """Run a command in a built image and return its exit code; mend the image first."""
    catalog = load(settings)
    image = catalog.by_id()[parse_name(name, catalog)]
    check = mount_check(Store(settings.store), current(settings).images)
    built = _mended(settings, catalog, (image.id,), check, listener)[image.id]
    store = Store.open(settings.store)
    find = finder(store, current(settings).images)
    with (
        store.in_use(),
        store.work_folder() as work,
        _units(settings, catalog, store, listener) as units,
    ):
        stack = mountable(lineage(built, find), store, units, Event())
        return visit(_as_built(image, built, store).runtime, stack, tuple(command), work)


def _as_built(image: Image, built: Built, store: Store) -> Image:
    """Return the image with the runtime configuration that it was built with."""
    return replace(image, runtime=read_runtime(store.layout.read_blob(built.config)))


def export(
    settings: Settings, terms: Sequence[str], destination: Destination, *, listener: Listener
) -> Mapping[ImageId, Digest]:
    """Export the selected images, damaged ones built again first; return their manifests."""
    catalog = load(settings)
    images = catalog.by_id()
    selection = choose(settings, catalog, terms)
    check_destination(destination, len(selection))
    built = _mended(settings, catalog, selection, blob_check(Store(settings.store)), listener)
    store = Store.open(settings.store)
    with store.in_use():
        for image in selection:
            (name,) = print_names(images[image], catalog.distro, Scheme.SPLIT, tag=TAG)
            export_image(built[image], name, store, destination, docker_host=settings.docker_host)
    return {image: built[image].manifest for image in selection}


def _mended(
    settings: Settings,
    catalog: Catalog,
    selection: Sequence[ImageId],
    check: Check,
    listener: Listener,
) -> Mapping[ImageId, Built]:
    """Return the selected images, those that are damaged built again first.

    Raises `UsageError` for those that were never built, and what went wrong when one is built
    again.
    """
    there = current(settings)
    UsageError.raise_all(
        [
            Fault("", f"{image} is not built", f"run `lamina build {image}`")
            for image in selection
            if image not in there.images and image not in there.damaged
        ]
    )
    images = [there.images[image] for image in selection if image in there.images]
    damages = find_damages(images, [check])
    _tell(damages, listener)
    if there.index:
        listener(Note(message=str(there.index)))
        Store.open(settings.store)  # puts it right
    damaged = [image for image in selection if image in damages or image in there.damaged]
    if damaged:
        _build(settings, catalog, damaged, listener=listener, test=False).raise_failures()
        there = current(settings)
    return {image: there.images[image] for image in selection}


def _tell(damages: Damages, listener: Listener) -> None:
    """Tell what was damaged, each fault once however many images share what it is about."""
    for message in dict.fromkeys(fault.message for each in damages.values() for fault in each):
        listener(Note(message=message))


def _units(settings: Settings, catalog: Catalog, store: Store, listener: Listener) -> Units:
    repositories = [repository.name for repository in used_repositories(catalog)]
    return Units(
        store,
        lambda: find_mirrors(repositories, settings.mirrors),
        jobs=settings.jobs,
        listener=listener,
    )
