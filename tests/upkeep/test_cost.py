from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.plan.fleets import an_image as of_catalog
from tests.storage.fleets import an_image

from lamina.model.built import Built
from lamina.model.image import Image, ImageId, Kind, Type
from lamina.upkeep.cost import daily_cost

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)

BASE = an_image("base", [{"libc": 1000}], 10)
CRON = an_image("cron", [{"cron": 200}], 20, parent=BASE)
NOVA = an_image("source-nova", [{"nova": 4000}], 30, parent=BASE)


def openstack() -> tuple[Image, Built]:
    image = Image(
        id=ImageId("nova", Type.SOURCE), kind=Kind.OPENSTACK, family="nova", parent=BASE.id
    )
    return image, NOVA


def fleet() -> list[tuple[Image, Built]]:
    return [(of_catalog("base"), BASE), (of_catalog("cron", "base"), CRON), openstack()]


def test_infra_images_cost_twice_and_layers_that_images_share_once() -> None:
    infra = 1000 + 10 + 200 + 20
    assert daily_cost(fleet(), None, NOW).day == 2 * infra + 4000 + 30


def test_every_day_since_the_last_publication_counts_and_one_at_least() -> None:
    costs = [daily_cost(fleet(), NOW - timedelta(hours=hours), NOW) for hours in (0, 1, 4, 24 * 7)]
    assert [cost.days for cost in costs] == [1, 1, 1, 7]
    assert costs[-1].total == 7 * costs[-1].day
