from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.fleets import DEBIAN, FLEET, catalogs, image_names

from lamina.errors import UsageError
from lamina.model.catalog import Catalog
from lamina.model.image import ImageId, Type
from lamina.model.names import Scheme, name_table, parse_name, parse_names, print_names

PRINTED = [
    ("cron", Scheme.SPLIT, ["debian-cron:1"]),
    ("cron", Scheme.INFRA, ["debian-infra-cron:1"]),
    ("cron", Scheme.LEGACY, ["debian-binary-cron:1", "debian-source-cron:1"]),
    ("cron", Scheme.SHORT, ["cron:1-debian-13"]),
    ("libvirt", Scheme.SPLIT, ["debian-libvirt:1"]),
    (
        "libvirt",
        Scheme.LEGACY,
        [
            "debian-binary-libvirt:1",
            "debian-source-libvirt:1",
            "debian-binary-nova-libvirt:1",
            "debian-source-nova-libvirt:1",
        ],
    ),
    ("libvirt", Scheme.SHORT, ["libvirt:1-debian-13"]),
    ("source-nova-api", Scheme.SPLIT, ["debian-source-nova-api:1"]),
    ("source-nova-api", Scheme.INFRA, ["debian-source-nova-api:1"]),
    (
        "source-nova-api",
        Scheme.LEGACY,
        ["debian-source-nova-api:1", "debian-source-nova-osapi:1"],
    ),
    ("source-nova-api", Scheme.SHORT, ["nova-api:1-debian-13"]),
]

READ = [
    ("cron", Scheme.SPLIT, "cron"),
    ("debian-cron", Scheme.SPLIT, "cron"),
    ("debian-cron:2026.1", Scheme.SPLIT, "cron"),
    ("infra-cron", Scheme.SPLIT, "cron"),
    ("debian-infra-cron", Scheme.INFRA, "cron"),
    ("cron:2026.1-debian-13", Scheme.SHORT, "cron"),
    ("mariadb", Scheme.SPLIT, "mariadb-server"),
    ("debian-mariadb", Scheme.SPLIT, "mariadb-server"),
    ("nova-libvirt", Scheme.SPLIT, "libvirt"),
    ("binary-keystone", Scheme.SPLIT, "binary-keystone"),
    ("debian-source-keystone", Scheme.SPLIT, "source-keystone"),
    ("debian-source-nova-osapi", Scheme.SPLIT, "source-nova-api"),
    ("nova-compute", Scheme.SPLIT, "source-nova-compute"),
    ("debian-binary-mariadb", Scheme.LEGACY, "mariadb-server"),
    ("debian-source-ceph-mon", Scheme.LEGACY, "ceph-mon"),
    ("debian-source-nova-libvirt", Scheme.LEGACY, "libvirt"),
]

REFUSED = [
    (
        "debian-source-ceph-mon",
        "'ceph-mon' is an infra image, and has no type in its name",
        "say 'debian-ceph-mon'",
    ),
    (
        "binary-mariadb",
        "'mariadb-server' is an infra image, and has no type in its name",
        "say 'mariadb-server'",
    ),
    (
        "debian-infra-nova-compute",
        "'nova-compute' is no infra image",
        "say 'debian-source-nova-compute'",
    ),
    ("binary-nova-compute", "'nova-compute' is not built as binary", "say 'source-nova-compute'"),
    (
        "keystone",
        "'keystone' is built as binary and source",
        "say 'binary-keystone' or 'source-keystone'",
    ),
    (
        "infra-keystone",
        "'keystone' is no infra image",
        "say 'binary-keystone' or 'source-keystone'",
    ),
    ("corn", "no image 'corn' in the catalogue", "did you mean 'cron'?"),
    ("debian-infra-crom", "no image 'crom' in the catalogue", "did you mean 'cron'?"),
    ("telegraf", "no image 'telegraf' in the catalogue", "'lamina list' shows all images"),
    (
        "centos-cron",
        "an image of centos, but the distribution is debian-13",
        "say 'debian-cron', or choose another distribution",
    ),
    ("debian-", "no name of an image", "'lamina list' shows all images"),
    ("", "no name of an image", "'lamina list' shows all images"),
]


@pytest.mark.parametrize(("id_", "scheme", "names"), PRINTED)
def test_an_image_is_called_as_its_scheme_says(id_: str, scheme: Scheme, names: list[str]) -> None:
    image = FLEET.by_id()[ImageId.parse(id_)]
    assert print_names(image, DEBIAN, scheme, tag="1") == tuple(names)


@pytest.mark.parametrize(("text", "scheme", "id_"), READ)
def test_a_name_means_one_image(text: str, scheme: Scheme, id_: str) -> None:
    assert parse_name(text, FLEET, scheme=scheme) == ImageId.parse(id_)


@pytest.mark.parametrize(("text", "message", "remedy"), REFUSED)
def test_a_wrong_name_is_refused_with_the_right_one(text: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_name(text, FLEET)
    [fault] = caught.value.faults
    assert (fault.place, fault.message, fault.remedy) == (text, message, remedy)


def test_a_name_without_type_means_all_types() -> None:
    assert [str(id_) for id_ in parse_names("keystone", FLEET)] == [
        "binary-keystone",
        "source-keystone",
    ]


@pytest.mark.parametrize("tag", ["", "-1", "a b", "1:2", "a/b", "x" * 129])
def test_a_tag_that_no_registry_takes_is_refused(tag: str) -> None:
    with pytest.raises(UsageError, match="is not a tag"):
        print_names(FLEET.images[0], DEBIAN, Scheme.SPLIT, tag=tag)


def test_the_short_scheme_refuses_two_types_of_one_image() -> None:
    images = [image for image in FLEET.images if image.id.name == "keystone"]
    with pytest.raises(UsageError) as caught:
        name_table(images, DEBIAN, Scheme.SHORT, tag="1")
    [fault] = caught.value.faults
    assert fault.place == "keystone:1-debian-13"
    assert "to 'binary-keystone' and to 'source-keystone'" in fault.message
    sources = [image for image in images if image.id.type is Type.SOURCE]
    assert name_table(sources, DEBIAN, Scheme.SHORT, tag="1") == {
        "keystone:1-debian-13": ImageId("keystone", Type.SOURCE)
    }


@given(catalogs(), st.sampled_from([Scheme.SPLIT, Scheme.INFRA, Scheme.LEGACY]))
def test_every_printed_name_is_read_as_its_image(catalog: Catalog, scheme: Scheme) -> None:
    table = name_table(catalog.images, DEBIAN, scheme, tag="1")
    assert set(table.values()) == {image.id for image in catalog.images}
    for name, id_ in table.items():
        assert parse_name(name, catalog, scheme=scheme) == id_


@given(catalogs())
def test_a_short_name_is_read_as_all_types_of_its_image(catalog: Catalog) -> None:
    for image in catalog.images:
        [name] = print_names(image, DEBIAN, Scheme.SHORT, tag="1")
        ids = {other.id for other in catalog.images if other.id.name == image.id.name}
        assert set(parse_names(name, catalog, scheme=Scheme.SHORT)) == ids


@given(st.text(alphabet="abcdebinrstou-:.", max_size=30), st.sampled_from(Scheme))
def test_any_text_is_a_name_or_a_usage_error(text: str, scheme: Scheme) -> None:
    try:
        outcome = [str(id_) for id_ in parse_names(text, FLEET, scheme=scheme)]
    except UsageError as error:
        outcome = [fault.remedy for fault in error.faults]
    assert outcome
    assert all(outcome)


@given(image_names(), st.none() | st.sampled_from(Type))
def test_an_image_id_is_read_back_as_it_was_printed(name: str, type_: Type | None) -> None:
    id_ = ImageId(name, type_)
    assert ImageId.parse(str(id_)) == id_
