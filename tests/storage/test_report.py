from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.fleets import (
    CONFIG,
    MANIFEST,
    a_fleet,
    a_layer,
    a_size,
    a_unit,
    an_image,
    of_units,
)

from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import ImageId, Kind, Type
from lamina.storage import Fleet, Size, StorageReport, make_report, median_size

BASE = an_image("base", [{"libc": 100}], 10)
CRON = an_image("cron", [{"cron": 20}], 4, parent=BASE)
API = an_image("source-api", [{"python": 60}], 6, parent=BASE)
SMALL = a_fleet((BASE,), (BASE, CRON), (BASE, API), saved=3)


def names(report: StorageReport) -> dict[str, Size]:
    return {one.name: one.size for one in report.what_if}


def test_of_an_empty_store_there_is_an_empty_report() -> None:
    report = make_report(a_fleet())

    assert (report.images, report.layers, report.unique, report.ratio) == ((), (), a_size(0), 1)
    assert report.answer == "nothing is built that could be compared"


def test_an_images_layers_are_exclusive_or_shared_and_images_are_sorted() -> None:
    report = make_report(SMALL)

    assert [
        (str(one.id), one.layers, one.apparent, one.exclusive, one.shared, one.own, one.delta)
        for one in report.images
    ] == [
        (*("source-api", 4, a_size(176), a_size(66)), a_size(110), of_units(60), a_size(6)),
        (*("base", 2, a_size(110), a_size(0), a_size(110)), of_units(100), a_size(10)),
        (*("cron", 4, a_size(134), a_size(24), a_size(110)), of_units(20), a_size(4)),
    ]


def test_an_image_tells_its_kind_family_and_parent() -> None:
    api = make_report(SMALL).images[0]

    assert api.id == ImageId("api", Type.SOURCE)
    assert (api.kind, api.family, api.parent) == (Kind.OPENSTACK, "family", ImageId("base"))


def test_a_layer_is_divided_among_its_images_to_the_last_byte() -> None:
    report = make_report(SMALL)

    # libc's 100 are 34, 33 and 33, the 10 of the delta 4, 3 and 3: the first ones take the rest.
    assert [one.amortised.compressed for one in report.images] == [38 + 66, 36, 36 + 24]


def test_the_fleet_counts_every_layer_once() -> None:
    report = make_report(SMALL)

    assert len(report.layers) == 6
    assert report.apparent == a_size(176 + 110 + 134)
    assert report.unique == a_size(200)
    assert report.shared == a_size(110)


def test_a_registry_holds_layers_manifests_and_configurations_once() -> None:
    assert make_report(SMALL).registry == 200 + 3 * (MANIFEST + CONFIG)


def test_a_node_stores_a_layer_once_for_each_chain_that_ends_with_it() -> None:
    shared = {"tool": 40}
    one = an_image("one", [{"cron": 20}, shared], parent=BASE)
    other = an_image("other", [shared], parent=BASE)

    report = make_report(a_fleet((BASE, one), (BASE, other)))

    assert report.unique == a_size(170)
    assert report.node.uncompressed == 2 * (170 + 40)
    assert report.node.disk == 3 * (170 + 40)


def test_a_layer_tells_its_packages_or_whose_delta_it_is() -> None:
    layers = make_report(SMALL).layers

    assert [(one.packages, tuple(map(str, one.delta_of)), one.images) for one in layers] == [
        (("libc",), (), 3),
        (("python",), (), 1),
        (("cron",), (), 1),
        ((), ("base",), 3),
        ((), ("source-api",), 1),
        ((), ("cron",), 1),
    ]


def test_a_package_tells_how_many_images_have_it_and_how_often_it_is_stored() -> None:
    one = an_image("one", [{"ssl": 30, "a": 5}], parent=BASE)
    other = an_image("other", [{"ssl": 30, "b": 6}], parent=BASE)

    packages = make_report(a_fleet((BASE, one), (BASE, other))).packages

    assert [(p.name, p.version, p.size, p.images, p.stored) for p in packages] == [
        ("libc", "1", of_units(100), 2, 1),
        ("ssl", "1", of_units(30), 2, 2),
        ("b", "1", of_units(6), 1, 1),
        ("a", "1", of_units(5), 1, 1),
    ]


def test_a_unit_in_two_layers_counts_once_in_the_lower_bound() -> None:
    one = an_image("one", [{"ssl": 30, "a": 5}], parent=BASE)
    other = an_image("other", [{"ssl": 30, "b": 6}], parent=BASE)

    report = make_report(a_fleet((BASE, one), (BASE, other)))

    assert report.unique == a_size(181)
    assert report.lower_bound == of_units(151)
    assert report.ratio == report.compressed_ratio == 181 / 151


def test_directories_count_in_the_layer_and_not_in_the_lower_bound() -> None:
    layer = replace(BASE.layers[0], size=BASE.layers[0].size + 9)

    report = make_report(a_fleet((replace(BASE, layers=(layer, BASE.layers[1])),)))

    assert report.unique.compressed == 119
    assert report.lower_bound.compressed == 110


def test_a_package_that_dpkg_unpacked_itself_is_part_of_the_delta() -> None:
    image = an_image("one", [{"cron": 20}], 50, parent=BASE, in_delta=[a_unit("dash", size=40)])

    report = make_report(a_fleet((BASE, image)))

    assert {package.name for package in report.packages} == {"libc", "cron"}
    assert report.lower_bound == of_units(180)


def test_the_same_delta_in_two_images_counts_once() -> None:
    twin = replace(CRON, id=ImageId("twin"), manifest=Digest.of(b"twin"))

    report = make_report(a_fleet((BASE, CRON), (BASE, twin)))

    assert report.unique == a_size(134)
    assert names(report)["squashed"] == names(report)["hierarchy"] == of_units(134)
    assert report.layers[-1].delta_of == (ImageId("cron"), ImageId("twin"))


def test_a_layer_that_one_image_has_twice_is_stored_once() -> None:
    same = a_layer("same", 10)

    report = make_report(a_fleet((replace(BASE, layers=(same, same), own_layers=2),)))

    assert report.images[0].exclusive == report.unique == a_size(10)


def test_what_belongs_to_an_ancestor_counts_although_it_is_not_selected() -> None:
    report = make_report(a_fleet((BASE, CRON)))

    assert [str(image.id) for image in report.images] == ["cron"]
    assert report.unique == a_size(134)
    assert names(report)["hierarchy"] == of_units(134)
    assert str(report.images[0].parent) == "base"


@pytest.mark.parametrize(
    ("name", "size"),
    [
        # base 110; cron 134 and api 176, each with two deltas made one, which saves 3.
        ("squashed", 110 + 134 + 176 - 2 * 3),
        ("base_shared", 200),
        ("base_per_type", 200 + 2 * 110),
        ("hierarchy", 200),
        # infra is base and cron: 110 and 24, once more.
        ("infra_per_type", 200 + 110 + 24),
        ("layered", 200),
        ("lower_bound", 200),
    ],
)
def test_each_what_if_weighs_what_arithmetic_says(name: str, size: int) -> None:
    report = make_report(SMALL)

    found = next(one for one in report.what_if if one.name == name)
    assert (found.size.compressed, found.size.uncompressed) == (size, 2 * size)
    assert found.ratio == found.compressed_ratio == size / 200


def grown() -> Fleet:
    """base - middle - leaf, and an image beside them that shares a package with the leaf."""
    middle = an_image("middle", [{"lib": 40}], 8, parent=BASE)
    leaf = an_image("leaf", [{"ssl": 30}, {"leaf": 7}], 6, parent=middle)
    beside = an_image("beside", [{"ssl": 30}], parent=BASE)
    return a_fleet((BASE, middle), (BASE, middle, leaf), (BASE, beside), saved=2)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        # 110 + 48 - 2, 110 + 48 + 43 - 4, 110 + 30: the base itself is not selected.
        ("squashed", 156 + 197 + 140),
        # 110; middle 48, leaf over base 48 + 43 - 2, beside 30.
        ("base_shared", 110 + 48 + 89 + 30),
        ("base_per_type", 3 * 110 + 48 + 43 + 30),
        ("hierarchy", 110 + 48 + 43 + 30),
        ("infra_per_type", 2 * (110 + 48 + 43 + 30)),
        ("layered", 110 + 48 + 43),
        ("lower_bound", 110 + 48 + 43),
    ],
)
def test_generations_and_siblings_weigh_what_arithmetic_says(name: str, size: int) -> None:
    assert names(make_report(grown()))[name].compressed == size


def test_the_answer_is_made_from_the_figures() -> None:
    assert make_report(SMALL).answer == (
        "building infra once, not for each type, saves 40 % of the hierarchy's layers; "
        "squashing every image would store 2.07 times what the package layers do"
    )
    whole = make_report(a_fleet((BASE, CRON), saved=3))
    assert whole.answer.endswith("squashing every image would save 2 % of the package layers")


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """A fleet of any shape, each package of a size of its own."""
    lines: list[tuple[Built, ...]] = [(an_image("base", [{"libc": 100}], 10),)]
    for number in range(draw(st.integers(0, 6))):
        below = draw(st.sampled_from(lines))
        has = {unit.name for image in below for unit in image.units}
        own = sorted(draw(st.sets(st.sampled_from("uvwxyz"))) - has)
        cut = draw(st.integers(0, len(own)))
        groups = [{u: ord(u) for u in part} for part in (own[:cut], own[cut:]) if part]
        name = draw(st.sampled_from(("", "source-", "binary-"))) + f"image{number}"
        image = an_image(name, groups, draw(st.integers(0, 20)), parent=below[-1])
        lines.append((*below, image))
    return a_fleet(*draw(st.lists(st.sampled_from(lines), min_size=1, unique_by=id)))


@pytest.mark.parametrize("pick", [attrgetter("compressed"), attrgetter("uncompressed")])
@given(fleet=fleets())
def test_sizes_are_in_order_and_parts_add_up(pick: Callable[[Size], int], fleet: Fleet) -> None:
    report = make_report(fleet)
    what_if = {name: pick(size) for name, size in names(report).items()}

    assert pick(report.lower_bound) <= pick(report.unique) <= pick(report.apparent)
    assert what_if["layered"] == pick(report.unique)
    assert what_if["lower_bound"] == min(what_if.values())
    assert what_if["hierarchy"] <= what_if["base_per_type"]
    assert what_if["hierarchy"] <= what_if["infra_per_type"] <= 2 * what_if["hierarchy"]
    assert sum(pick(one.amortised) for one in report.images) == pick(report.unique)
    assert pick(report.shared) + sum(pick(one.exclusive) for one in report.images) == pick(
        report.unique
    )
    for one in report.images:
        assert pick(one.exclusive) + pick(one.shared) == pick(one.apparent)
        assert pick(one.exclusive) <= pick(one.amortised) <= pick(one.apparent)


@given(fleet=fleets())
def test_a_node_holds_no_less_than_every_layer_once_and_no_more_than_every_image(
    fleet: Fleet,
) -> None:
    report = make_report(fleet)

    assert report.unique.uncompressed <= report.node.uncompressed <= report.apparent.uncompressed
    assert report.unique.disk is not None
    assert report.unique.disk <= report.node.disk


def test_deltas_are_told_with_what_is_in_them_largest_first() -> None:
    files = {"etc/conf": 3, "usr/lib/a.pyc": 4, "var/status": 5, "usr/lib/b.pyc": 2, "empty": 0}
    report = make_report(a_fleet((BASE,), (BASE, CRON), (BASE, API), files=files))

    assert [(str(one.image), one.size, one.files) for one in report.deltas] == [
        ("base", a_size(10), 5),
        ("source-api", a_size(6), 5),
        ("cron", a_size(4), 5),
    ]
    assert [(part.name, part.size) for part in report.deltas[0].parts] == [
        ("compiled Python modules", 6),
        ("/var/status", 5),
        ("/etc/conf", 3),
    ]
    assert median_size(report.deltas).compressed == 6
    assert median_size(()) == a_size(0)


def test_an_image_without_a_delta_is_told_too() -> None:
    (one,) = make_report(a_fleet((an_image("plain", [{"libc": 100}], 0),))).deltas

    assert (one.size, one.files, one.parts) == (a_size(0), 0, ())
