"""Packages that an image has, by itself and from its ancestors, and how they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diff.values import packages, unit

from lamina.diff import PackageChange, packages_of
from lamina.diff.packages import changed_packages
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef

Line = Mapping[str, Sequence[UnitRef]]


def told(change: PackageChange) -> tuple[str, str, int, str, str]:
    """What became of a package, by how many bytes, and which images install it."""
    old, new = (str(one.image) if one else "" for one in (change.old, change.new))
    return change.name, change.move, change.growth, old, new


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"base": []}, {"base": []}, []),
        ({"base": [unit("a")]}, {"base": [unit("a")]}, []),
        (
            {"base": [], "zebra": []},
            {"base": [], "zebra": [unit("a", size=7)]},
            [("a", "added", 7, "", "zebra")],
        ),
        (
            {"base": [unit("a", size=7)], "zebra": []},
            {"base": [], "zebra": []},
            [("a", "removed", -7, "base", "")],
        ),
        (
            {"base": [unit("a", "1", size=7)], "zebra": []},
            {"base": [unit("a", "2", size=5)], "zebra": []},
            [("a", "updated", -2, "base", "base")],
        ),
        (
            {"base": [unit("a")], "zebra": []},
            {"base": [], "zebra": [unit("a")]},
            [("a", "moved", 0, "base", "zebra")],
        ),
        (
            {"base": [unit("b"), unit("a")]},
            {"base": [unit("c"), unit("a", "2")]},
            [
                ("a", "updated", 0, "base", "base"),
                ("b", "removed", -100, "base", ""),
                ("c", "added", 100, "", "base"),
            ],
        ),
    ],
)
def test_what_became_of_each_package_and_where_it_comes_from(
    old: Line, new: Line, changes: list[tuple[str, str, int, str, str]]
) -> None:
    assert [told(change) for change in changed_packages(packages(old), packages(new))] == changes


def test_what_an_image_installs_takes_the_place_of_what_its_parent_has() -> None:
    found = packages({"base": [unit("a", "1")], "zebra": [unit("a", "2")]})

    assert (found["a"].unit.version, str(found["a"].image)) == ("2", "zebra")


def test_one_package_of_two_architectures_is_two_packages() -> None:
    units = [unit("a"), unit("a", architecture="i386"), unit("b", architecture="all")]

    assert [*packages_of([(ImageId("base"), units)], architecture="amd64")] == ["a", "a:i386", "b"]


lines = st.fixed_dictionaries(
    {
        name: st.lists(
            st.builds(unit, st.sampled_from("abcd"), st.sampled_from("12")),
            max_size=4,
            unique_by=lambda one: one.name,
        )
        for name in ("base", "zebra")
    }
)


@given(lines, lines)
def test_packages_that_change_back_make_the_same_changes_the_other_way_round(
    one: Line, other: Line
) -> None:
    there = changed_packages(packages(one), packages(other))
    back = changed_packages(packages(other), packages(one))

    assert [(change.name, change.new, change.old) for change in back] == [
        (change.name, change.old, change.new) for change in there
    ]
    assert [change.growth for change in back] == [-change.growth for change in there]
    assert changed_packages(packages(one), packages(one)) == ()
