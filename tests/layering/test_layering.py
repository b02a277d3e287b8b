"""Which packages share a layer, in fleets small enough to see it."""

from __future__ import annotations

import pytest
from tests.layering.fleets import a_fleet, groups, layers_of, tight

from lamina.errors import LockError
from lamina.layering import group_id, lower_bound, make_layering, stored_bytes
from lamina.model.image import ImageId

MB = 1_000_000


def test_units_of_the_same_images_share_a_group_and_what_more_images_have_lies_below() -> None:
    layering = make_layering(a_fleet({"a": "x y one", "b": "y x two", "c": "x y one"}), budget=60)
    assert groups(layering, "a") == ["x y", "one"]
    assert groups(layering, "b") == ["x y", "two"]
    assert layering.images[ImageId("a")] == layering.images[ImageId("c")]
    assert list(layering.groups) == [group_id(["x", "y"]), group_id(["one"]), group_id(["two"])]


def test_two_versions_of_a_package_are_never_shared() -> None:
    fleet = a_fleet({"a": "x@1 y", "b": "x@2 y"})
    layering = make_layering(fleet, budget=60)
    assert groups(layering, "a") == groups(layering, "b") == ["x", "y"]
    assert stored_bytes(layering, fleet) == lower_bound(fleet) == 3000


def test_over_the_budget_the_groups_are_united_that_cost_the_fewest_bytes() -> None:
    fleet = a_fleet(
        {"all": "big=9000 mid=500 tiny=10", "b": "big=9000", "m": "mid=500", "t": "tiny=10"}
    )
    layering = make_layering(fleet, budget=3)
    assert groups(layering, "all") == ["big", "mid tiny"]
    assert groups(layering, "t") == ["tiny"]
    assert stored_bytes(layering, fleet) - lower_bound(fleet) == 510


def test_groups_are_united_in_all_images_that_have_both() -> None:
    fleet = a_fleet({"a": "x y z", "b": "x y z", "c": "x", "d": "y", "e": "z=1000"})
    layering = make_layering(fleet, budget=3)
    assert layering.images[ImageId("a")] == layering.images[ImageId("b")]
    assert len(layering.images[ImageId("a")]) == 2


def test_a_chain_of_images_shares_the_budget() -> None:
    words = {f"base-{n}": f"p{n}" for n in range(8)} | {f"leaf-{n}": f"q{n}" for n in range(8)}
    everything = " ".join(f"p{n}" for n in range(8))
    others = " ".join(f"q{n}" for n in range(8))
    fleet = a_fleet({**words, "base": everything, "leaf": others}, parents={"leaf": "base"})
    layering = make_layering(fleet, budget=10)
    assert len(layering.images[ImageId("base")]) == len(layering.images[ImageId("leaf")]) == 4
    assert layers_of(layering, fleet, ImageId("leaf")) == 10


def test_a_large_group_is_split_where_layers_are_to_spare() -> None:
    fleet = a_fleet({"a": f"huge={50 * MB} one={MB} two={MB} small-1 small-2"})
    layering = make_layering(fleet, budget=60)
    assert groups(layering, "a") == ["huge", "one", "two", "small-1 small-2"]
    assert stored_bytes(layering, fleet) == lower_bound(fleet)


def test_splitting_leaves_a_quarter_of_the_budget_for_what_is_to_come() -> None:
    fleet = a_fleet({"a": " ".join(f"p{n}={5 * MB}" for n in range(90))})
    assert layers_of(make_layering(fleet, budget=40), fleet, ImageId("a")) == 30


def test_a_group_is_not_split_where_one_of_its_images_has_no_room() -> None:
    shared = f"x={8 * MB} y={8 * MB}"
    crowd = " ".join(f"p{n}" for n in range(9))
    alone = {f"only-{n}": f"p{n}" for n in range(9)}
    fleet = a_fleet({"a": shared, "b": f"{shared} {crowd}", **alone})
    assert groups(make_layering(fleet, budget=12), "a") == ["x y"]


def test_a_new_image_takes_the_groups_that_fit_and_stores_a_part_again() -> None:
    fleet = a_fleet({"a": "x y z=99000", "b": "z=99000"})
    before = make_layering(fleet, budget=60)
    grown = (*fleet, *a_fleet({"new": "z=99000 x own"}))
    after = make_layering(grown, budget=60, previous=before, threshold=1.0)
    assert groups(after, "a") == groups(before, "a") == ["z", "x y"]
    assert groups(after, "new") == ["z", "own x"]
    assert list(after.groups)[:2] == list(before.groups)


def test_above_the_threshold_the_worst_overlap_is_taken_out() -> None:
    fleet = a_fleet({"a": "big=90000 x y small", "b": "c"})
    before = make_layering(fleet, budget=60)
    grown = (*fleet, *a_fleet({"new": "big=90000 own", "other": "small=1000 c2"}))
    after = make_layering(grown, budget=60, previous=before)
    assert "big" in groups(after, "a")
    assert "small x y" in groups(after, "a"), "a small overlap stays"
    assert stored_bytes(after, grown) <= 1.02 * lower_bound(grown)


def test_a_package_that_is_renamed_everywhere_is_stored_once() -> None:
    before = make_layering(a_fleet({"a": "lib1 x", "b": "lib1 x"}), budget=60)
    fleet = a_fleet({"a": "lib2 x", "b": "lib2 x"})
    after = make_layering(fleet, budget=60, previous=before)
    assert groups(after, "a") == groups(after, "b") == ["lib2 x"]


def test_a_child_of_a_crowded_image_takes_the_few_layers_that_are_left() -> None:
    words = {f"only-{n}": f"p{n}" for n in range(6)} | {f"lone-{n}": f"q{n}" for n in range(4)}
    parent = " ".join(f"p{n}" for n in range(6))
    child = " ".join(f"q{n}" for n in range(4))
    fleet = a_fleet({**words, "base": parent})
    before = make_layering(fleet, budget=10)
    grown = (*fleet, *a_fleet({"child": child}, parents={"child": "base"}))
    after = make_layering(grown, budget=10, previous=before, threshold=1.0)
    assert after.images[ImageId("base")] == before.images[ImageId("base")]
    assert len(after.images[ImageId("child")]) == 2


def test_what_a_new_image_has_too_many_of_is_united_in_that_image_only() -> None:
    fleet = a_fleet({"a": "x y z", "c": "x", "d": "y", "e": "z", "base": "b"})
    before = make_layering(fleet, budget=5)
    grown = (*fleet, *a_fleet({"new": "x y z"}, parents={"new": "base"}))
    after = make_layering(grown, budget=5, previous=before, threshold=1.0)
    assert groups(after, "a") == groups(before, "a") == ["x", "y", "z"]
    assert len(groups(after, "new")) == 2


def test_every_image_that_cannot_be_within_the_budget_is_told() -> None:
    fleet = a_fleet(
        {"base": "x", "mid": "y", "low": "", "lower": "z"},
        parents={"mid": "base", "low": "mid", "lower": "low"},
    )
    assert tight(fleet) == 7
    with pytest.raises(LockError) as caught:
        make_layering(fleet, budget=4)
    assert [(fault.place, fault.message) for fault in caught.value.faults] == [
        ("low", "with its ancestors it needs 5 layers, and the layer budget is 4"),
        ("lower", "with its ancestors it needs 7 layers, and the layer budget is 4"),
    ]
    assert all("raise the layer budget" in fault.remedy for fault in caught.value.faults)


def test_a_group_has_its_id_from_its_packages_alone() -> None:
    assert group_id(["b", "a"]) == group_id(["a", "b"])
    assert group_id(["a", "b"]) != group_id(["a b"]) != group_id(["ab"])
