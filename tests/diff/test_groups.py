"""The layers that locks plan."""

from __future__ import annotations

from tests.diff.values import lock, unit

from lamina.diff import Group, groups_of
from lamina.diff.groups import changed_groups
from lamina.model.image import ImageId

ZEBRA = ImageId("zebra")


def names(groups: tuple[Group, ...]) -> list[str]:
    return ["+".join(unit.key for unit in group.units) for group in groups]


def test_an_image_has_its_ancestors_groups_below_its_own() -> None:
    found = groups_of(
        lock({"base": [[unit("b"), unit("a")], [unit("c")]], "zebra": [[unit("d", size=7)]]}), ZEBRA
    )

    assert names(found) == ["a_1_amd64+b_1_amd64", "c_1_amd64", "d_1_amd64"]
    assert [group.size for group in found] == [200, 100, 7]


def test_an_update_makes_one_new_group_and_keeps_the_others() -> None:
    old = lock({"base": [[unit("a"), unit("b")], [unit("c")]], "zebra": [[unit("d")]]})
    new = lock({"base": [[unit("a"), unit("b", "2")], [unit("c")]], "zebra": [[unit("d")]]})

    changed = changed_groups(groups_of(old, ZEBRA), groups_of(new, ZEBRA))

    assert names(changed.new) == ["a_1_amd64+b_2_amd64"]
    assert names(changed.gone) == ["a_1_amd64+b_1_amd64"]
    assert names(changed.kept) == ["c_1_amd64", "d_1_amd64"]
    assert not changed.nothing


def test_the_same_packages_grouped_in_another_way_are_other_groups() -> None:
    apart, together = (
        lock({"zebra": [[unit("a")], [unit("b")]]}),
        lock({"zebra": [[unit("a"), unit("b")]]}),
    )

    changed = changed_groups(groups_of(apart, ZEBRA), groups_of(together, ZEBRA))

    assert (names(changed.kept), names(changed.new)) == ([], ["a_1_amd64+b_1_amd64"])
    assert names(changed.gone) == ["a_1_amd64", "b_1_amd64"]
