"""A build: lock if there is none, plan, build, test, tag."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lamina.build.damage import Damages, blob_check, find_damages, mount_check
from lamina.build.fleet import Order, RunResult, build_fleet
from lamina.build.units import Units
from lamina.lock import lock_text
from lamina.mirrors import find_mirrors
from lamina.model.built import Built, Inputs
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import ImageDone, Listener, Note, Planned
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock
from lamina.model.names import Scheme, print_names
from lamina.model.plan import Plan
from lamina.model.selection import Selection, with_ancestors
from lamina.pipeline.cached import Pulled, pull_planned
from lamina.pipeline.fleet import choose, current, load
from lamina.pipeline.relock import lock, locked, require_backend
from lamina.pipeline.untested import untested
from lamina.plan import inputs_of, make_plan, refuse_unbuildable, unpinned, with_pulls
from lamina.settings import Settings
from lamina.store.records import Current
from lamina.store.store import Store

TAG = "latest"  # of the names in the store's own layout


def build(
    settings: Settings, selection: Selection, *, listener: Listener, test: bool, verify: bool
) -> RunResult:
    """Build, test and tag what is selected; without a lock file, lock first.

    With `verify`, everything that the store has of these images is read and checked before, and
    what is damaged is made again. Raises `BuildError` for an image named outright that cannot be
    built.
    """
    catalog = load(settings)
    chosen = choose(settings, catalog, selection)
    require_backend(catalog.distro)
    refuse_unbuildable(catalog, selection.terms)
    if not settings.lock.exists():
        listener(Note(message=f"there is no {settings.lock.name} yet: it is made first"))
        lock(settings, catalog, update=(), listener=listener)
    if verify:
        store, images = Store(settings.store), current(settings).images
        wanted = [images[image] for image in with_ancestors(catalog, chosen) if image in images]
        tell(find_damages(wanted, (blob_check(store), mount_check(store, images))), listener)
    return build_images(settings, catalog, chosen, listener=listener, test=test)


def build_images(
    settings: Settings,
    catalog: Catalog,
    chosen: Sequence[ImageId],
    *,
    listener: Listener,
    test: bool,
) -> RunResult:
    """Build, test and tag images of a catalogue that has a lock, with all they stand on.

    What a cache of the settings has is pulled instead.
    """
    fleet = locked(settings, catalog)
    there = current(settings)
    if there.index:
        listener(Note(message=str(there.index)))
    images = there.images
    store = Store.open(settings.store)
    tag = partial(_tag, catalog, Digest.of(lock_text(fleet).encode()), store)
    steps = make_plan(catalog, fleet, images, chosen)
    # What is pulled is not tagged before its turn: nothing may collect it until then.
    with store.in_use():
        pulled = pull_planned(settings, catalog, fleet, images, steps, listener=listener)
        known = {**images, **pulled.images}
        steps = with_pulls(make_plan(catalog, fleet, known, chosen), pulled.places)
        listener(
            Planned(
                plan=steps,
                parents={image.id: image.parent for image in catalog.images},
                expected={image: built.seconds for image, built in known.items()},
                jobs=settings.jobs,
            )
        )
        order = _order(settings, catalog, fleet, there, pulled, steps, test=test)
        with units_of_store(settings, catalog, store, listener) as units:
            result = build_fleet(order, store, units, tag=tag, listener=listener)
    # What the lock could not pin is not here either.
    lacking = unpinned(fleet)
    blocked = {
        step.image: ImageDone(
            image=step.image,
            outcome="not fetched" if step.image in lacking else "blocked",
            seconds=0.0,
            message=step.reasons[0],
        )
        for step in steps.steps
        if step.action == "blocked"
    }
    return RunResult(outcomes={**result.outcomes, **blocked}, built=result.built)


def _order(
    settings: Settings,
    catalog: Catalog,
    fleet: Lock,
    there: Current,
    pulled: Pulled,
    steps: Plan,
    *,
    test: bool,
) -> Order:
    entries = fleet.by_id()

    def inputs(image: Image, parent: Built | None) -> Inputs:
        over = parent.manifest if parent else None
        return inputs_of(image, entries[image.id], distro=catalog.distro, lock=fleet, parent=over)

    finished = (*steps.with_action("keep"), *steps.with_action("pull"))
    to_test = untested(catalog, {**there.images, **pulled.images}, finished) if test else ()
    return Order(
        catalog=catalog,
        lock=fleet,
        images=tuple(step.image for step in steps.steps if step.action != "blocked"),
        pending=frozenset((*steps.with_action("build"), *to_test)),
        current=there.images,
        inputs=inputs,
        pulled=pulled.places,
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


def tell(damages: Damages, listener: Listener) -> None:
    """Tell what was damaged, each fault once however many images share what it is about."""
    for message in dict.fromkeys(fault.message for each in damages.values() for fault in each):
        listener(Note(message=message))


def units_of_store(settings: Settings, catalog: Catalog, store: Store, listener: Listener) -> Units:
    """Return the units of the store, their files from the mirrors of the settings."""
    return Units(
        store,
        lambda names: find_mirrors(names, settings.mirrors, usual=catalog.sources),
        jobs=settings.jobs,
        listener=listener,
    )
