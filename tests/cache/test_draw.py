from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.cache.fleets import BASE, CHILD, CRON, OTHER, Made, Shelf, a_fleet, a_quest, notes

from lamina.cache import Cached, draw_cached, find_cached
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.event import Downloaded, Event
from lamina.model.image import ImageId
from lamina.oci.image import make_config, make_manifest
from lamina.store.store import Store

CATALOG, LOCK = a_fleet()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def found(shelf: Shelf) -> dict[ImageId, Cached]:
    return dict(find_cached(a_quest(CATALOG, LOCK), [shelf.cache()], listener=lambda _: None))


def draw(shelf: Shelf, store: Store, events: list[Event] | None = None) -> dict[ImageId, Built]:
    told = [] if events is None else events
    return dict(draw_cached(found(shelf), store, jobs=2, listener=told.append))


def test_what_was_drawn_is_in_the_store_as_if_it_were_built_there(
    made: Made, shelf: Shelf, store: Store
) -> None:
    assert draw(shelf, store) == made[0]

    for built in made[0].values():
        assert store.find_built(built.key) == built
        assert store.delta_is_intact(built.manifest)
        assert store.layout.verify_blob(built.manifest) is None
        assert (store.delta_path(built.manifest) / str(built.id)).read_text() == f"of {built.id}"


def test_each_layer_is_pulled_once_however_many_images_have_it(
    made: Made, shelf: Shelf, store: Store
) -> None:
    draw(shelf, store)

    layers = {layer.digest for built in made[0].values() for layer in built.layers}
    assert sorted(digest for digest in shelf.pulled if digest in layers) == sorted(layers)


def test_a_layer_that_the_store_has_is_not_pulled(made: Made, shelf: Shelf, store: Store) -> None:
    layer = made[0][BASE].layers[0]
    store.layout.write_blob(made[1].read_blob(layer.digest))

    draw(shelf, store)

    assert layer.digest not in shelf.pulled


def test_a_layer_with_other_content_is_refused_and_so_is_what_stands_on_it(
    made: Made, shelf: Shelf, store: Store
) -> None:
    layer, events = made[0][CRON].layers[-1], list[Event]()
    shelf.blobs[layer.digest] = b"something else"

    assert set(draw(shelf, store, events)) == {BASE, OTHER}
    assert store.layout.blob_size(layer.digest) is None
    assert notes(events)[0] == (
        "cron: not taken from the cache registry.example/fleet: registry.example/fleet: "
        f"fleet/cron: the blob {layer.digest} has other content"
    )


def test_a_layer_of_another_size_than_its_record_says_is_refused(
    made: Made, shelf: Shelf, store: Store
) -> None:
    built, events = made[0][OTHER], list[Event]()
    layers = (*built.layers[:-1], replace(built.layers[-1], size=built.layers[-1].size + 1))
    image = CATALOG.by_id()[OTHER]
    config = make_config(
        image.runtime, layers=layers, epoch=built.epoch, architecture=LOCK.architecture
    )
    manifest = make_manifest(
        config,
        layers,
        title=str(built.id),
        epoch=built.epoch,
        base=built.parent,
    )
    lie = replace(built, layers=layers, manifest=Digest.of(manifest), manifest_size=len(manifest))
    shelf.put(lie, made[1])

    assert set(draw(shelf, store, events)) == {BASE, CRON, CHILD}
    assert [note.partition(":")[0] for note in notes(events)] == ["other"]


def test_a_layer_that_is_gone_is_told_and_the_rest_comes(
    made: Made, shelf: Shelf, store: Store
) -> None:
    layer, events = made[0][OTHER].layers[-1], list[Event]()
    del shelf.blobs[layer.digest]

    assert set(draw(shelf, store, events)) == {BASE, CRON, CHILD}
    assert [note.endswith(f"the blob {layer.digest} is not there") for note in notes(events)] == [
        True
    ]


def test_an_interrupt_ends_what_is_being_pulled(shelf: Shelf, store: Store) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Downloaded):
            raise KeyboardInterrupt

    here = found(shelf)
    with pytest.raises(KeyboardInterrupt):
        draw_cached(here, store, jobs=2, listener=interrupt)

    assert shelf.stopped
    assert store.records.keys() == ()


def test_an_image_whose_ancestor_was_refused_is_not_recorded(
    made: Made, shelf: Shelf, store: Store
) -> None:
    here = found(shelf)
    # Pulled once, the layer is broken in the store itself before the delta is made of it.
    layer = made[0][CRON].layers[-1]
    store.layout.blob_path(layer.digest).write_bytes(bytes(layer.size))
    events: list[Event] = []

    drawn = draw_cached(here, store, jobs=2, listener=events.append)

    assert set(drawn) == {BASE, OTHER}
    assert store.find_built(made[0][CHILD].key) is None
    assert [note.partition(":")[0] for note in notes(events)] == ["cron", "cron-child"]
    assert "what it stands on could not be taken" in notes(events)[1]
