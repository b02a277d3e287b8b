"""Publishing: names chosen, the registry asked, planned, sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.errors import Fault, StoreError, UsageError
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import Doing, Listener, Note
from lamina.model.image import Image, ImageId
from lamina.model.names import Scheme, name_table, print_names
from lamina.model.reference import Namespace, Reference
from lamina.model.selection import Selection
from lamina.oci.disk import disk_faults
from lamina.pipeline.beside import (
    Beside,
    Shelf,
    Wish,
    candidates_of,
    put_beside,
    read_ledger,
    turns_of,
)
from lamina.pipeline.fleet import choose, current, load
from lamina.publish import (
    Blob,
    Neighbour,
    Publication,
    PublishPlan,
    check_file,
    digests_text,
    make_plan,
    pinned,
)
from lamina.registry import Traffic, open_registry
from lamina.registry.together import together
from lamina.settings import Settings
from lamina.store.records import Current
from lamina.store.store import Store
from lamina.upkeep.cost import DailyCost, daily_cost
from lamina.upkeep.due import Candidate, Turn
from lamina.upkeep.ledger import Ledger

if TYPE_CHECKING:
    from lamina.registry.client import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where images are published, and by which names."""

    namespace: Namespace
    schemes: tuple[Scheme, ...]
    tag: str
    digests: Path | None = None  # the file that gets the references by digest
    due: bool = False  # only what has changed and whose turn it is
    until: date | None = None  # the last day of names in any but the first scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Which images were due, and what it would have cost to publish all of them every day."""

    turns: Mapping[ImageId, Turn]
    cost: DailyCost


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published, or would be."""

    publications: tuple[Publication, ...]
    plan: PublishPlan
    asked: int  # requests before anything was sent
    traffic: Traffic  # all of it
    beside: Beside | None = None  # what was put beside the images, if anything was to be
    due: Due | None = None  # where only what is due was asked for


def publish(
    settings: Settings,
    selection: Selection,
    target: Target,
    *,
    listener: Listener,
    now: datetime,
    dry_run: bool,
) -> Published:
    """Publish the selected images, or all that are built; with `dry_run`, only say what it takes.

    `now` is the time that the ledger gets, and by which images are due.
    Raises `UsageError` for images that are not built and names that mean two images,
    `NetworkError` when the registry fails or refuses, `StoreError` when a blob is damaged.
    """
    if target.digests:
        check_file(target.digests)
    catalog = load(settings)
    store = Store.open(settings.store)
    access = replace(settings.access, tell=lambda message: listener(Note(message=message)))
    with store.in_use(), open_registry(target.namespace.registry, access) as registry:
        # Loaded here, because it loads an HTTP client, which every other command can do without.
        from lamina.publish.asking import ask
        from lamina.publish.sending import send

        there = current(settings)
        built = there.images
        chosen = _chosen(choose(settings, catalog, selection), there, named=bool(selection.terms))
        shelf = Shelf(
            namespace=target.namespace, schemes=target.schemes, tag=target.tag, catalog=catalog
        )
        candidates = candidates_of(shelf, built)
        ledger = read_ledger(registry, shelf.ledger) if target.due else Ledger()
        due = _due(catalog, built, candidates, chosen, ledger, now) if target.due else None
        waiting = frozenset(image for image in chosen if due and due.turns[image].waits)
        chosen = tuple(image for image in chosen if image not in waiting)
        names = _names(catalog, target, chosen)
        publications = _publications(catalog, built, names, store)
        listener(Doing(message=f"asking {target.namespace.host} what it has"))
        neighbours = _neighbours(catalog, built, target, frozenset(chosen))
        plan = make_plan(publications, ask(registry, publications, neighbours))
        asked = registry.traffic.requests
        beside = None
        # What has not changed is asked for too: somebody may have moved or lost it there.
        fresh = {image: built[image] for image in chosen if not due or due.turns[image].due}
        if not dry_run:
            send(registry, plan, store.layout, listener)
            if wish := _wish(settings, target, now):
                beside = put_beside(shelf, fresh, candidates, access, wish)
            if target.digests:
                means = {
                    **{name: one.manifest for one in publications for name in one.references},
                    **_meant(registry, _names(catalog, target, waiting)),
                }
                text = digests_text(pinned(means, target.namespace), target.digests)
                _write(target.digests, text)
        return Published(
            publications=tuple(
                one
                for one in publications
                if one.image in fresh or plan.repositories.intersection(one.repositories)
            ),
            plan=plan,
            asked=asked,
            traffic=registry.traffic,
            beside=beside,
            due=due,
        )


def _wish(settings: Settings, target: Target, now: datetime) -> Wish | None:
    """Return what is to be put beside images, if anything is."""
    wish = Wish(
        # Who is asked for images is told by which keys to find them.
        records=target.namespace in settings.caches,
        until=target.until,
        ledger=now if target.due else None,
    )
    return wish if wish.records or wish.until or wish.ledger else None


def _due(
    catalog: Catalog,
    built: Mapping[ImageId, Built],
    candidates: Mapping[ImageId, Candidate],
    chosen: Iterable[ImageId],
    ledger: Ledger,
    now: datetime,
) -> Due:
    images = catalog.by_id()
    turns = turns_of({image: candidates[image] for image in chosen}, ledger, now)
    pairs = [(images[image], built[image]) for image in turns]
    return Due(turns=turns, cost=daily_cost(pairs, ledger.last, now))


def _meant(
    registry: Registry, names: Mapping[ImageId, Sequence[Reference]]
) -> dict[Reference, Digest]:
    """Return what the names of images mean that are not published now, as far as they do."""
    references = [reference for each in names.values() for reference in each]
    asked = (partial(registry.manifest_digest, one.repository, one.tag) for one in references)
    found = zip(references, together(registry, asked), strict=True)
    return {reference: digest for reference, digest in found if digest}


def _chosen(selected: tuple[ImageId, ...], there: Current, *, named: bool) -> tuple[ImageId, ...]:
    """Return the selected images, which must be built if they were `named`; else those that are."""
    chosen = selected
    if not named:
        chosen = tuple(one for one in chosen if one in there.images or one in there.damaged)
    damaged = [there.damaged[one] for one in chosen if one in there.damaged]
    StoreError.raise_all([*([there.index] if there.index else []), *damaged])
    UsageError.raise_all(
        [
            Fault("", f"{image} is not built", f"run `lamina build {image}`")
            for image in chosen
            if image not in there.images
        ]
    )
    if not chosen:
        raise UsageError.one("no image is built", remedy="run `lamina build`")
    return chosen


def _names(
    catalog: Catalog, target: Target, chosen: Iterable[ImageId]
) -> Mapping[ImageId, tuple[Reference, ...]]:
    """Return the names of each image, by all schemes, each once and those of the first first."""
    wanted = frozenset(chosen)
    images = [image for image in catalog.images if image.id in wanted]
    found: dict[ImageId, dict[Reference, None]] = {image.id: {} for image in images}
    for scheme in target.schemes:
        table = name_table(images, catalog.distro, scheme, tag=target.tag)
        for name, image in table.items():
            found[image][target.namespace.reference(name)] = None
    return {image: tuple(references) for image, references in found.items()}


def _publications(
    catalog: Catalog,
    built: Mapping[ImageId, Built],
    names: Mapping[ImageId, tuple[Reference, ...]],
    store: Store,
) -> tuple[Publication, ...]:
    """Return what is published, parents before children."""
    images = catalog.by_id()
    sizes = {image: store.layout.blob_size(built[image].config) for image in names}
    StoreError.raise_all(
        [
            Fault(
                str(image),
                "its configuration is missing in the store",
                f"run `lamina build --verify {image}`",
            )
            for image, size in sizes.items()
            if size is None
        ]
    )
    return tuple(
        Publication(
            image=image,
            manifest=built[image].manifest,
            manifest_size=built[image].manifest_size,
            blobs=(
                Blob(digest=built[image].config, size=sizes[image] or 0),
                *(Blob(digest=layer.digest, size=layer.size) for layer in built[image].layers),
            ),
            references=references,
            generation=_generation(images[image], images),
        )
        for image, references in names.items()
    )


def _generation(image: Image, images: Mapping[ImageId, Image]) -> int:
    """Return how many images an image stands on."""
    number = 0
    while image.parent:
        image = images[image.parent]
        number += 1
    return number


def _neighbours(
    catalog: Catalog,
    built: Mapping[ImageId, Built],
    target: Target,
    chosen: frozenset[ImageId],
) -> Sequence[Neighbour]:
    """Return the other images of the store by their first name: the registry may have them."""
    scheme = target.schemes[0]
    return [
        Neighbour(
            reference=target.namespace.reference(
                print_names(image, catalog.distro, scheme, tag=target.tag)[0]
            ),
            blobs=frozenset(layer.digest for layer in built[image.id].layers),
        )
        for image in catalog.images
        if image.id in built and image.id not in chosen
    ]


def _write(path: Path, text: str) -> None:
    """Replace a file of the user's in one step."""
    aside = path.with_name(f".{path.name}.new")
    with disk_faults(path.parent, "folder"):
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
