from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.plan.fleets import DISTRO, an_image

from lamina.model.image import Image, ImageId, Kind, Type
from lamina.model.names import Scheme
from lamina.oci.artifact import read_artifact
from lamina.upkeep.successors import (
    SUCCESSOR_TYPE,
    Notice,
    is_notice_tag,
    notice_artifact,
    notice_tag,
    old_names,
    read_notice,
)

MARIADB = replace(an_image("mariadb-server", "base"), aliases=("mariadb",))


def nova(type_: Type) -> Image:
    return Image(
        id=ImageId("nova-api", type_), kind=Kind.OPENSTACK, family="nova", parent=ImageId("base")
    )


def names(*images: Image, old: tuple[Scheme, ...] = (Scheme.LEGACY,)) -> dict[str, str]:
    found = old_names(images, DISTRO, Scheme.SPLIT, old, tag="latest")
    return {name.name: name.successor for name in found}


def test_legacy_names_and_aliases_are_succeeded_by_the_present_name() -> None:
    assert names(MARIADB) == {
        "debian-binary-mariadb-server:latest": "debian-mariadb-server:latest",
        "debian-binary-mariadb:latest": "debian-mariadb-server:latest",
        "debian-source-mariadb-server:latest": "debian-mariadb-server:latest",
        "debian-source-mariadb:latest": "debian-mariadb-server:latest",
    }


def test_a_name_that_an_image_still_has_is_no_old_one() -> None:
    assert names(nova(Type.SOURCE)) == {}


def test_a_name_that_two_images_had_is_left_out() -> None:
    both = (nova(Type.SOURCE), nova(Type.BINARY))
    assert names(*both, old=(Scheme.SHORT,)) == {}
    assert names(both[0], old=(Scheme.SHORT,)) == {
        "nova-api:latest-debian-13": "debian-source-nova-api:latest"
    }


def test_a_notice_is_read_as_it_was_written() -> None:
    notice = Notice(successor="debian-cron:latest", until=date(2027, 5, 31))
    head = read_artifact(notice_artifact(notice).manifest(), SUCCESSOR_TYPE)
    assert read_notice(head.annotations) == notice


@pytest.mark.parametrize(
    "annotations",
    [{}, {"org.lamina.successor": "x"}, {"org.lamina.successor": "x", "org.lamina.until": "?"}],
)
def test_what_is_no_notice_is_refused(annotations: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"successor|isoformat"):
        read_notice(annotations)


def test_a_name_is_kept_on_its_last_day_and_expired_on_the_next() -> None:
    notice = Notice(successor="x", until=date(2027, 5, 31))
    assert not notice.expired(date(2027, 5, 31))
    assert notice.expired(date(2027, 6, 1))


def test_a_notice_lies_under_a_tag_that_says_what_it_is_about() -> None:
    assert notice_tag("2026.1") == "successor-of-2026.1"
    assert is_notice_tag(notice_tag("2026.1"))
    assert not is_notice_tag("2026.1")
