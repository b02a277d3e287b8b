from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.fleets import FLEET

from lamina.errors import UsageError
from lamina.model.image import ImageId, Kind
from lamina.model.selection import (
    Selection,
    of_kind,
    select,
    with_ancestors,
    with_descendants,
)

NOVA = "binary-nova-base source-nova-base binary-nova-api source-nova-api source-nova-compute"
SELECTED = [
    (["cron"], "cron"),
    (["debian-cron", "cron"], "cron"),
    (["mariadb"], "mariadb-server"),
    (["keystone"], "binary-keystone source-keystone"),
    (["source-keystone", "base"], "base source-keystone"),
    (["ceph-*"], "ceph-base ceph-mon ceph-osd"),
    (["debian-ceph-???"], "ceph-mon ceph-osd"),
    (["source-nova-*"], "source-nova-base source-nova-api source-nova-compute"),
    (["nova-[bc]*"], "binary-nova-base source-nova-base source-nova-compute"),
    (["nova-lib*"], "libvirt"),
    (["infra-c*"], "ceph-base cron ceph-mon ceph-osd"),
    (["kind:infra"], "base ceph-base cron libvirt mariadb-base ceph-mon ceph-osd mariadb-server"),
    (
        ["type:source"],
        "source-keystone source-nova-base source-nova-api source-nova-compute",
    ),
    (["family:ceph"], "ceph-base ceph-mon ceph-osd"),
    (["family:c*"], "ceph-base cron ceph-mon ceph-osd"),
    (["ceph-base+"], "ceph-base ceph-mon ceph-osd"),
    (["nova-base+"], NOVA),
    (["family:nova+", "cron"], f"cron {NOVA}"),
    (["*-mon", "ceph-base"], "ceph-base ceph-mon"),
    (["@edge"], "cron ceph-mon"),
    (["@all-edges", "base"], "base cron libvirt ceph-mon"),
    (["@round"], "cron"),
]
PROFILES = {
    "edge": ["cron", "ceph-mon"],
    "all-edges": ["@edge", "libvirt"],
    "round": ["@round", "cron"],
    "wrong": ["corn", "cron"],
}
REFUSED = [
    ("corn", "no image 'corn' in the catalogue", "did you mean 'cron'?"),
    ("ceph-x*", "no image has such a name", "did you mean 'ceph-osd'?"),
    ("zz*", "no image has such a name", "'lamina list' shows all images"),
    ("kind:infar", "no image of the kind 'infar'", "did you mean 'infra'?"),
    ("kind:x", "no image of the kind 'x'", "known are: infra, openstack"),
    ("type:sauce", "no image of the type 'sauce'", "did you mean 'source'?"),
    ("type:", "no image of the type ''", "known are: binary, source"),
    ("family:cehp", "no image of the family 'cehp'", "did you mean 'ceph'?"),
    ("@egde", "no profile 'egde'", "did you mean 'edge'?"),
    ("@zz", "no profile 'zz'", "name it in the section 'profiles' of lamina.toml"),
    (
        "source-cron+",
        "'cron' is an infra image, and has no type in its name",
        "say 'cron'",
    ),
]

terms = st.sampled_from([term for listed, _ in SELECTED for term in listed])


def ids(text: str) -> tuple[ImageId, ...]:
    return tuple(ImageId.parse(word) for word in text.split())


@pytest.mark.parametrize(("listed", "expected"), SELECTED, ids=lambda value: str(value)[:40])
def test_terms_select_in_the_order_of_the_catalogue(listed: list[str], expected: str) -> None:
    assert select(FLEET, listed, profiles=PROFILES) == ids(expected)


def test_a_kind_leaves_the_selected_images_of_that_kind() -> None:
    chosen = select(FLEET, ["keystone", "base", "cron"])

    assert of_kind(FLEET, chosen, Kind.INFRA) == ids("base cron")
    assert of_kind(FLEET, chosen, Kind.OPENSTACK) == ids("binary-keystone source-keystone")
    assert of_kind(FLEET, chosen, None) == chosen


def test_a_kind_that_no_selected_image_has_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        of_kind(FLEET, ids("cron"), Kind.OPENSTACK)

    assert str(refused.value).splitlines() == [
        "--kind openstack: no selected image is of this kind",
        "  leave it out, or select others",
    ]


def test_a_selection_is_printed_as_it_is_typed() -> None:
    assert str(Selection(terms=("cron", "ovn*"), kind=Kind.INFRA)) == "--kind infra cron ovn*"
    assert str(Selection()) == ""


def test_no_terms_select_everything() -> None:
    assert select(FLEET, []) == tuple(image.id for image in FLEET.images)


@pytest.mark.parametrize(("term", "message", "remedy"), REFUSED)
def test_a_term_that_selects_nothing_is_refused(term: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(FLEET, [term], profiles=PROFILES)
    [fault] = caught.value.faults
    assert (fault.message, fault.remedy) == (message, remedy)
    assert fault.place == term.removesuffix("+")


def test_all_wrong_terms_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        select(FLEET, ["corn", "cron", "kind:x", "@zz", "@wrong"], profiles=PROFILES)
    assert {fault.place for fault in caught.value.faults} == {"corn", "kind:x", "@zz"}


@given(st.lists(terms, min_size=1), st.lists(terms, min_size=1))
def test_several_terms_are_a_union(first: list[str], second: list[str]) -> None:
    both = select(FLEET, [*first, *second], profiles=PROFILES)
    parts = (select(FLEET, part, profiles=PROFILES) for part in (first, second))
    assert set(both) == {id_ for part in parts for id_ in part}


def test_ancestors_come_before_their_descendants() -> None:
    assert with_ancestors(FLEET, ids("ceph-mon source-nova-api")) == ids(
        "base ceph-base source-nova-base ceph-mon source-nova-api"
    )


@given(st.sets(st.sampled_from([image.id for image in FLEET.images])))
def test_an_image_is_below_its_ancestors_and_above_its_descendants(chosen: set[ImageId]) -> None:
    for id_ in chosen:
        for ancestor in with_ancestors(FLEET, [id_]):
            assert id_ in with_descendants(FLEET, [ancestor])
    upwards = with_ancestors(FLEET, chosen)
    assert with_ancestors(FLEET, upwards) == upwards
    assert chosen <= set(upwards)
