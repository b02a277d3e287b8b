from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.cache.fleets import (
    BASE,
    CHILD,
    CRON,
    OTHER,
    Made,
    Shelf,
    a_fleet,
    a_quest,
    altered,
    notes,
)

from lamina.cache import find_cached, key_tag
from lamina.model.digest import Digest
from lamina.model.event import Event

CATALOG, LOCK = a_fleet()


def test_a_whole_fleet_is_found_from_its_root_down(made: Made, shelf: Shelf) -> None:
    found = find_cached(a_quest(CATALOG, LOCK), [shelf.cache()], listener=lambda _: None)

    assert {image: cached.built for image, cached in found.items()} == made[0]


def test_finding_pulls_records_and_nothing_else(made: Made, shelf: Shelf) -> None:
    find_cached(a_quest(CATALOG, LOCK), [shelf.cache()], listener=lambda _: None)

    layers = {layer.digest for built in made[0].values() for layer in built.layers}
    assert len(shelf.pulled) == len(made[0])
    assert layers.isdisjoint(shelf.pulled)


def test_below_an_image_that_nobody_has_nothing_is_asked_for(made: Made, shelf: Shelf) -> None:
    del shelf.manifests["fleet/cron", key_tag(made[0][CRON].key)]

    found = find_cached(a_quest(CATALOG, LOCK), [shelf.cache()], listener=lambda _: None)

    assert set(found) == {BASE, OTHER}
    assert "fleet/cron-child" not in shelf.asked


def test_what_stands_on_an_image_of_the_store_is_looked_for(made: Made, shelf: Shelf) -> None:
    quest = a_quest(CATALOG, LOCK, {BASE: made[0][BASE]})

    assert set(find_cached(quest, [shelf.cache()], listener=lambda _: None)) == {CRON, OTHER, CHILD}
    assert "fleet/base" not in shelf.asked


def test_what_the_store_has_under_the_same_key_is_not_asked_for(made: Made, shelf: Shelf) -> None:
    by_key = {built.key: built for built in made[0].values()}
    quest = replace(a_quest(CATALOG, LOCK), known=by_key.get)

    assert find_cached(quest, [shelf.cache()], listener=lambda _: None) == {}
    assert shelf.asked == []


def test_the_first_cache_that_has_an_image_counts(made: Made, shelf: Shelf) -> None:
    second = Shelf()
    second.put(made[0][BASE], made[1])

    found = find_cached(
        a_quest(CATALOG, LOCK),
        [second.cache("near"), shelf.cache("far")],
        listener=lambda _: None,
    )

    assert {str(image): cached.cache.name for image, cached in found.items()} == {
        "base": "near",
        "cron": "far",
        "cron-child": "far",
        "other": "far",
    }


def test_a_cache_that_does_not_answer_is_told_of_once_and_asked_no_more(shelf: Shelf) -> None:
    broken, events = Shelf(broken=True), list[Event]()

    found = find_cached(
        a_quest(CATALOG, LOCK), [broken.cache("broken"), shelf.cache()], listener=events.append
    )

    assert len(found) == 4
    assert broken.asked == ["fleet/base"]
    assert notes(events) == [
        "the cache broken cannot be used, and is done without: shelf: no answer"
    ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "key": (
        {"key": Digest.of(b"another")},
        "its key is another one",
    ),
    "manifest": (
        {"manifest": Digest.of(b"another")},
        "its manifest is not that of an image with this key",
    ),
    "config": (
        {"config": Digest.of(b"another")},
        "its manifest is not that of an image with this key",
    ),
    "layers": (
        {"layers": (), "own_layers": 0},
        "it stands on another parent",
    ),
    "packages": (
        {"units": ()},
        "its packages are not those of the lock",
    ),
    "trees": (
        {"trees": {"bash_5_amd64": Digest.of(b"tree")}},
        "it has trees of packages that are not its own",
    ),
    "parent": (
        {"parent": Digest.of(b"another")},
        "it stands on another parent",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_record_that_disagrees_with_its_key_is_refused(
    made: Made, shelf: Shelf, what: str
) -> None:
    changes, why = REFUSED[what]
    built, events = made[0][CRON], list[Event]()
    shelf.put(built, made[1], record=altered(built, **changes))
    # Under the tag of the key that is asked for, whatever the record says.
    quest = a_quest(CATALOG, LOCK, {BASE: made[0][BASE]})

    found = find_cached(quest, [shelf.cache()], listener=events.append)

    assert set(found) == {OTHER}
    assert notes(events) == [
        f"cron: what the cache registry.example/fleet has of it is refused: {why}"
    ]


def test_a_record_of_which_one_byte_was_changed_is_refused(made: Made, shelf: Shelf) -> None:
    built, events = made[0][BASE], list[Event]()
    text = altered(built)
    shelf.put(built, made[1], record=text.replace(b"1700000000", b"1700000001"))

    assert find_cached(a_quest(CATALOG, LOCK), [shelf.cache()], listener=events.append) == {}
    assert notes(events)[0].endswith("is refused: it is not as it was written")


def test_a_record_whose_blob_was_lost_is_refused_and_the_rest_is_found(
    made: Made, shelf: Shelf
) -> None:
    events = list[Event]()
    del shelf.blobs[Digest.of(altered(made[0][OTHER]))]

    found = find_cached(a_quest(CATALOG, LOCK), [shelf.cache()], listener=events.append)

    assert set(found) == {BASE, CRON, CHILD}
    assert len(notes(events)) == 1
    assert notes(events)[0].startswith("other: what the cache registry.example/fleet has of it is")
    assert notes(events)[0].endswith("is not there")


def test_a_record_blob_with_other_content_than_its_digest_is_refused(
    made: Made, shelf: Shelf
) -> None:
    built, events = made[0][BASE], list[Event]()
    shelf.blobs[Digest.of(altered(built))] = altered(built, seconds=2.0)

    assert find_cached(a_quest(CATALOG, LOCK), [shelf.cache()], listener=events.append) == {}
    assert "its content is not the blob sha256:" in notes(events)[0]
