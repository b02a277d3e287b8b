"""What built images are for: to be tested, run and exported, mended first where damaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event

from lamina.build.damage import Check, blob_check, find_damages, mount_check
from lamina.build.fleet import RunResult
from lamina.build.lineage import finder, lineage, mountable
from lamina.build.retest import retest
from lamina.build.visit import visit
from lamina.errors import Fault, UsageError
from lamina.export import check_destination, export_image
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.destination import Destination
from lamina.model.digest import Digest
from lamina.model.event import Listener, Note
from lamina.model.image import Image, ImageId
from lamina.model.names import Scheme, parse_name, print_names
from lamina.model.selection import Selection
from lamina.oci.image import read_runtime
from lamina.pipeline.builds import TAG, build_images, tell, units_of_store
from lamina.pipeline.fleet import choose, current, load
from lamina.settings import Settings
from lamina.store.store import Store


def test(settings: Settings, selection: Selection, *, listener: Listener) -> RunResult:
    """Run the tests of the selected images that are built; damaged ones are built again first."""
    catalog = load(settings)
    images = catalog.by_id()
    chosen = choose(settings, catalog, selection)
    if not selection.terms:
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
    with units_of_store(settings, catalog, store, listener) as units:
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
        units_of_store(settings, catalog, store, listener) as units,
    ):
        stack = mountable(lineage(built, find), store, units, Event())
        return visit(_as_built(image, built, store).runtime, stack, tuple(command), work)


def export(
    settings: Settings, selection: Selection, destination: Destination, *, listener: Listener
) -> Mapping[ImageId, Digest]:
    """Export the selected images, damaged ones built again first; return their manifests."""
    catalog = load(settings)
    images = catalog.by_id()
    chosen = choose(settings, catalog, selection)
    check_destination(destination, len(chosen))
    built = _mended(settings, catalog, chosen, blob_check(Store(settings.store)), listener)
    store = Store.open(settings.store)
    with store.in_use():
        for image in chosen:
            (name,) = print_names(images[image], catalog.distro, Scheme.SPLIT, tag=TAG)
            export_image(built[image], name, store, destination, docker_host=settings.docker_host)
    return {image: built[image].manifest for image in chosen}


def _as_built(image: Image, built: Built, store: Store) -> Image:
    """Return the image with the runtime configuration that it was built with."""
    return replace(image, runtime=read_runtime(store.layout.read_blob(built.config)))


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
    tell(damages, listener)
    if there.index:
        listener(Note(message=str(there.index)))
        Store.open(settings.store)  # puts it right
    damaged = [image for image in selection if image in damages or image in there.damaged]
    if damaged:
        build_images(settings, catalog, damaged, listener=listener, test=False).raise_failures()
        there = current(settings)
    return {image: there.images[image] for image in selection}
