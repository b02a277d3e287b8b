"""Which image was current before: what the index of the store remembers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.diff.builds import DISTRO, NOTHING, put, tag

from lamina.model.image import ImageId
from lamina.store.store import Store

ZEBRA = ImageId("zebra")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def test_of_an_image_that_was_built_once_there_is_no_previous_one(store: Store) -> None:
    assert store.records.previous(DISTRO, ZEBRA) is None

    tag(store, put(store, "zebra", {"a": "1"}))

    assert store.records.previous(DISTRO, ZEBRA) is None


def test_the_previous_image_is_the_one_whose_place_was_taken(store: Store) -> None:
    first, second, third = (put(store, "zebra", {"a": text}) for text in "123")
    for built in (first, second, third):
        tag(store, built)

    assert store.records.previous(DISTRO, ZEBRA) == second.key


def test_going_back_makes_previous_what_was_current_until_then(store: Store) -> None:
    first, second = (put(store, "zebra", {"a": text}) for text in "12")
    for built in (first, second, first):
        tag(store, built)

    assert store.records.previous(DISTRO, ZEBRA) == second.key


def test_an_image_that_is_tagged_anew_and_is_the_same_leaves_the_previous_one_alone(
    store: Store,
) -> None:
    first, second = (put(store, "zebra", {"a": text}) for text in "12")
    other_inputs = replace(second.inputs, calls=NOTHING, codec="another")
    same = replace(second, inputs=other_inputs, key=other_inputs.key())
    for built in (first, second, second, same):
        tag(store, built)

    assert store.records.previous(DISTRO, ZEBRA) == first.key


def test_images_and_distributions_have_each_their_own_previous_one(store: Store) -> None:
    first, second = (put(store, "zebra", {"a": text}) for text in "12")
    tag(store, first)
    tag(store, put(store, "yak", {"a": "1"}))
    store.tag("debian-12", first, ["old:latest"], {})
    tag(store, second)

    assert store.records.previous(DISTRO, ZEBRA) == first.key
    assert store.records.previous(DISTRO, ImageId("yak")) is None
    assert store.records.previous("debian-12", ZEBRA) is None
