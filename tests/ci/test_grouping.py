"""Groups of images: complete, parents in time, of like weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.plan.fleets import an_image

from lamina.ci.grouping import Groups, fits, make_groups, weights
from lamina.model.image import Image, ImageId


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Image, ...]:
    """Return images with one root, parents first, each with some packages."""
    count = draw(st.integers(1, 25))
    images = [an_image("image-0")]
    for number in range(1, count):
        parent = draw(st.integers(0, number - 1))
        packages = tuple("p" * size for size in range(1, 1 + draw(st.integers(0, 5))))
        images.append(replace(an_image(f"image-{number}", f"image-{parent}"), packages=packages))
    return tuple(images)


def names(groups: Groups) -> list[list[str]]:
    return [[image.name for image in group] for group in groups]


def forest(*sizes: int) -> tuple[Image, ...]:
    """Return a root with children of so many packages each."""
    return (
        an_image("root"),
        *(
            replace(an_image(f"child-{number}", "root"), packages=("p",) * (size - 1))
            for number, size in enumerate(sizes)
        ),
    )


@given(images=fleets(), count=st.integers(1, 8))
def test_every_image_is_in_one_group_with_its_parent_or_after_it(
    images: tuple[Image, ...], count: int
) -> None:
    groups = make_groups(images, {}, count=count)

    assert len(groups) <= count
    assert sorted(image for group in groups for image in group) == sorted(i.id for i in images)
    parents = {image.id: image.parent for image in images}
    for branch in groups.branches:
        assert branch
        for image in branch:
            assert parents[image] in (*groups.trunk, *branch)
    for image in groups.trunk:
        assert parents[image] is None or parents[image] in groups.trunk
    assert fits(groups, images, count=count)


@given(images=fleets(), count=st.integers(1, 8), data=st.data())
def test_the_order_in_which_seconds_are_known_changes_nothing(
    images: tuple[Image, ...], count: int, data: st.DataObject
) -> None:
    seconds = {image.id: data.draw(st.floats(0, 100)) for image in images}
    backwards = dict(reversed(seconds.items()))

    assert make_groups(images, seconds, count=count) == make_groups(images, backwards, count=count)


@given(images=fleets(), count=st.integers(1, 8))
def test_no_branch_is_heavier_than_the_lightest_by_more_than_its_heaviest_limb(
    images: tuple[Image, ...], count: int
) -> None:
    groups = make_groups(images, {}, count=count)
    cost = weights(images, {})
    parents = {image.id: image.parent for image in images}
    for branch in groups.branches:
        limbs: dict[ImageId, float] = {}
        for image in branch:
            root = image
            while parents[root] in branch:
                root = parents[root] or root
            limbs[root] = limbs.get(root, 0) + cost[image]
        load = sum(limbs.values())
        lightest = min(sum(cost[image] for image in each) for each in groups.branches)
        assert load - min(limbs.values()) <= lightest + 1e-9


def test_one_group_has_everything() -> None:
    assert names(make_groups(forest(3, 1), {}, count=1)) == [["root", "child-0", "child-1"]]


def test_branches_weigh_alike_by_packages() -> None:
    groups = make_groups(forest(5, 4, 3, 2), {}, count=3)

    assert names(groups) == [["root"], ["child-0", "child-3"], ["child-1", "child-2"]]


def test_seconds_of_earlier_builds_beat_packages() -> None:
    seconds = {ImageId(f"child-{number}"): time for number, time in enumerate((1, 2, 3, 4))}

    groups = make_groups(forest(5, 4, 3, 2), seconds, count=3)

    assert names(groups) == [["root"], ["child-0", "child-3"], ["child-1", "child-2"]]
    slow = make_groups(forest(5, 4, 3, 2), {**seconds, ImageId("child-2"): 50.0}, count=3)
    assert names(slow) == [["root"], ["child-2"], ["child-0", "child-1", "child-3"]]


def test_an_image_without_a_build_counts_as_its_packages_cost_elsewhere() -> None:
    cost = weights(forest(4, 2), {ImageId("child-0"): 8.0})

    assert cost == {ImageId("root"): 2.0, ImageId("child-0"): 8.0, ImageId("child-1"): 4.0}


def test_an_image_whose_descendants_fill_several_branches_is_in_the_trunk() -> None:
    images = (
        an_image("root"),
        an_image("family-base", "root"),
        an_image("alone", "root"),
        *(an_image(f"member-{number}", "family-base") for number in range(4)),
    )

    groups = make_groups(images, {}, count=3)

    assert [image.name for image in groups.trunk] == ["root", "family-base"]
    assert sorted(len(branch) for branch in groups.branches) == [2, 3]


def fitting(groups: Sequence[Sequence[str]], count: int = 3) -> bool:
    trunk, *branches = (tuple(map(ImageId, group)) for group in groups)
    images = (an_image("root"), an_image("left", "root"), an_image("right", "left"))
    return fits(Groups(trunk=trunk, branches=tuple(branches)), images, count=count)


def test_groups_of_another_balance_fit_and_wrong_ones_do_not() -> None:
    assert fitting([["root"], ["left", "right"]])
    assert fitting([["root", "left"], ["right"]])
    assert not fitting([["root"], ["left", "right"]], count=1)
    assert not fitting([["root"], ["left"], ["right"]])  # its parent is in no group before it
    assert not fitting([["root"], ["left"]])
    assert not fitting([["root"], ["left", "right", "right"]])
    assert not fitting([["root"], ["right", "left"]])
    assert not fitting([["root"], ["left", "right", "other"]])
