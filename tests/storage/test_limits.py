from __future__ import annotations

import pytest
from tests.storage.fleets import a_fleet, an_image

from lamina.errors import UsageError
from lamina.storage import Limits, exceeded, make_report, parse_size

BASE = an_image("base", [{"libc": 10_000_000}])
CRON = an_image("cron", [{"cron": 2_000_000}], parent=BASE)
REPORT = make_report(a_fleet((BASE,), (BASE, CRON)))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1 << 20),
        ("12B", 12),
        ("500MB", 500_000_000),
        ("500 MB", 500_000_000),
        ("1.5kB", 1500),
        ("1KB", 1000),
        ("2GiB", 2 << 30),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "-5MB", "5 mbit", "1e6", "1,5MB", "5MB5", "\u0665MB", "nan"]
)
def test_anything_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize("limits", [Limits(), Limits(total=12_000_000, image=12_000_000)])
def test_a_limit_that_is_met_is_not_exceeded(limits: Limits) -> None:
    assert exceeded(REPORT, limits) == ()


def test_a_fleet_that_is_too_large_names_its_largest_parts() -> None:
    (fault,) = exceeded(REPORT, Limits(total=11_999_999))

    assert str(fault) == (
        "the fleet: 12.0 MB compressed is 1 B (1 bytes) over 12.0 MB\n"
        "  the largest parts of it: cron 7.0 MB, base 5.0 MB"
    )


def test_every_image_that_is_too_large_is_told_the_largest_first() -> None:
    faults = exceeded(REPORT, Limits(image=9_000_000))

    assert [fault.place for fault in faults] == ["cron", "base"]
    assert str(faults[0]) == (
        "cron: 12.0 MB compressed is 3.0 MB (3000000 bytes) over 9.0 MB\n"
        "  no other image has 2.0 MB of it"
    )
