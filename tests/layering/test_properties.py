"""What holds for the layering of every fleet, whatever it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from tests.layering.fleets import (
    Fleet,
    a_unit,
    catalogues,
    fleets,
    histories,
    layers_of,
    roomy,
    tight,
    units,
    updated,
)

from lamina.layering import Content, Layering, lower_bound, make_layering, stored_bytes
from lamina.model.image import ImageId

T = TypeVar("T")

spare = st.integers(0, 12)


def assert_sound(layering: Layering, fleet: Fleet, budget: int) -> None:
    """Every own unit in exactly one group, nothing else in any, the budget and the order kept."""
    places = {id_: place for place, id_ in enumerate(layering.groups)}
    assert set(layering.images) == {content.image for content in fleet}
    assert set(places) == {id_ for own in layering.images.values() for id_ in own}
    assert len(set(layering.groups.values())) == len(places)
    for content in fleet:
        own = layering.images[content.image]
        held = [name for id_ in own for name in layering.groups[id_]]
        assert sorted(held) == sorted(unit.name for unit in content.units)
        assert [places[id_] for id_ in own] == sorted(places[id_] for id_ in own)
        assert layers_of(layering, fleet, content.image) <= budget
    assert all(names == tuple(sorted(names)) for names in layering.groups.values())


def same(one: Layering, other: Layering) -> bool:
    return one == other and list(one.groups) == list(other.groups)


@given(fleets(), spare)
def test_every_unit_has_its_place_within_the_budget(fleet: Fleet, more: int) -> None:
    budget = tight(fleet) + more
    assert_sound(make_layering(fleet, budget=budget), fleet, budget)


@given(histories(), spare, spare)
def test_a_fleet_that_has_changed_is_within_its_budget_too(
    history: tuple[Fleet, Fleet], before: int, more: int
) -> None:
    old, new = history
    previous = make_layering(old, budget=tight(old) + before)
    budget = tight(new) + more
    assert_sound(make_layering(new, budget=budget, previous=previous), new, budget)


@given(fleets())
def test_with_room_a_fresh_layering_stores_every_unit_once(fleet: Fleet) -> None:
    layering = make_layering(fleet, budget=roomy(fleet))
    assert stored_bytes(layering, fleet) == lower_bound(fleet)


@given(histories(), st.sampled_from([0.0, 0.02, 0.3]))
def test_with_room_no_more_than_the_threshold_is_stored_twice(
    history: tuple[Fleet, Fleet], threshold: float
) -> None:
    old, new = history
    previous = make_layering(old, budget=roomy(old))
    layering = make_layering(new, budget=roomy(new), previous=previous, threshold=threshold)
    assert stored_bytes(layering, new) <= (1 + threshold) * lower_bound(new)


@given(histories(), spare, st.sampled_from([0.0, 0.02, 0.3]))
def test_where_units_could_all_be_stored_once_the_threshold_holds(
    history: tuple[Fleet, Fleet], more: int, threshold: float
) -> None:
    old, new = history
    budget = tight(new) + more
    fresh = make_layering(new, budget=budget)
    previous = make_layering(old, budget=roomy(old))
    layering = make_layering(new, budget=budget, previous=previous, threshold=threshold)
    if stored_bytes(fresh, new) == lower_bound(new):
        assert stored_bytes(layering, new) <= (1 + threshold) * lower_bound(new)


@given(histories(), spare, st.sampled_from([0.0, 0.02, 0.3]))
def test_a_layering_comes_out_of_itself_unchanged(
    history: tuple[Fleet, Fleet], more: int, threshold: float
) -> None:
    old, new = history
    previous = make_layering(old, budget=tight(old) + more, threshold=threshold)
    budget = tight(new) + more
    first = make_layering(new, budget=budget, previous=previous, threshold=threshold)
    second = make_layering(new, budget=budget, previous=first, threshold=threshold)
    assert same(first, second)
    fresh = make_layering(new, budget=budget, threshold=threshold)
    assert same(make_layering(new, budget=budget, previous=fresh, threshold=threshold), fresh)


@given(histories(), spare, st.randoms(use_true_random=False))
def test_the_order_of_images_and_units_does_not_matter(
    history: tuple[Fleet, Fleet], more: int, random: Random
) -> None:
    old, new = history
    previous = make_layering(old, budget=roomy(old))
    budget = tight(new) + more
    shuffled = [replace(content, units=tuple(_shuffled(content.units, random))) for content in new]
    for before in (None, previous):
        assert same(
            make_layering(new, budget=budget, previous=before),
            make_layering(_shuffled(shuffled, random), budget=budget, previous=before),
        )


def _shuffled(values: Sequence[T], random: Random) -> list[T]:
    return random.sample(values, len(values))


@given(st.data())
def test_a_new_image_leaves_all_others_and_their_groups_as_they_were(data: st.DataObject) -> None:
    catalogue = data.draw(catalogues())
    fleet = data.draw(fleets(catalogue))
    parent = data.draw(st.sampled_from([None, *(content.image for content in fleet)]))
    new = Content(image=ImageId("new"), parent=parent, units=data.draw(units(catalogue)))
    grown = (*fleet, new)
    budget = roomy(grown)
    before = make_layering(fleet, budget=budget)
    after = make_layering(grown, budget=budget, previous=before, threshold=1.0)
    assert {image: own for image, own in after.images.items() if image != new.image} == dict(
        before.images
    )
    assert list(after.groups)[: len(before.groups)] == list(before.groups)


@given(fleets(), spare, st.data())
def test_another_version_of_a_package_changes_no_group(
    fleet: Fleet, more: int, data: st.DataObject
) -> None:
    every = [unit for content in fleet for unit in content.units] or [a_unit("a")]
    unit = data.draw(st.sampled_from(every))
    budget = tight(fleet) + more
    # However much larger: only what is stored twice may move anything.
    before = make_layering(fleet, budget=budget, threshold=1000.0)
    after = make_layering(
        updated(fleet, unit.key, unit.size * data.draw(st.sampled_from([1, 3, 50]))),
        budget=budget,
        previous=before,
        threshold=1000.0,
    )
    assert same(before, after)


@given(fleets(), spare)
def test_an_image_that_goes_takes_only_what_nobody_else_has(fleet: Fleet, more: int) -> None:
    inner = {content.parent for content in fleet}
    gone = next(content for content in reversed(fleet) if content.image not in inner)
    rest = tuple(content for content in fleet if content is not gone)
    budget = tight(fleet) + more
    before = make_layering(fleet, budget=budget, threshold=1000.0)
    after = make_layering(rest, budget=budget, previous=before, threshold=1000.0)
    assert dict(after.images) == {
        image: own for image, own in before.images.items() if image != gone.image
    }
