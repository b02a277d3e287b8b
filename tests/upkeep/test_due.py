from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model.cadence import Cadence
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.upkeep.due import Candidate, Turn, security_updates, turn_of
from lamina.upkeep.ledger import Entry, Ledger, Publication, entered, without

OLD, NEW = Digest.of(b"old"), Digest.of(b"new")
NAMES = frozenset(("debian-cron:latest",))
LAST = datetime(2026, 11, 16, 23, 50, tzinfo=UTC)  # a Monday, late
CRON = ImageId("cron")


def candidate(
    manifest: Digest = NEW,
    cadence: Cadence = Cadence.WEEKLY,
    security: Mapping[str, str] | None = None,
    names: frozenset[str] = NAMES,
) -> Candidate:
    return Candidate(manifest=manifest, cadence=cadence, names=names, security=security or {})


def entry(manifest: Digest = OLD, security: Mapping[str, str] | None = None) -> Entry:
    now = Publication(manifest=manifest, published=LAST)
    return Entry(now=now, names=NAMES, security=security or {})


def test_an_image_that_was_never_published_is_due() -> None:
    assert turn_of(candidate(), None, LAST) == Turn(due=True, reason="never published here")


@pytest.mark.parametrize("cadence", Cadence)
def test_an_image_that_has_not_changed_is_never_due(cadence: Cadence) -> None:
    later = LAST + timedelta(days=1000)
    unchanged = candidate(OLD, cadence, {"openssl": "3.5.2"})
    assert turn_of(unchanged, entry(), later) == Turn(due=False, reason="unchanged")


def test_a_name_that_is_new_is_due_though_the_image_has_not_changed() -> None:
    renamed = candidate(OLD, names=NAMES | {"debian-binary-cron:latest"})
    assert turn_of(renamed, entry(), LAST).reason == "the name debian-binary-cron:latest is new"


@pytest.mark.parametrize(
    ("cadence", "days", "due", "reason"),
    [
        (Cadence.WEEKLY, 6, False, "changed, weekly, due on 2026-11-23"),
        (Cadence.WEEKLY, 7, True, "changed, weekly, last published on 2026-11-16"),
        (Cadence.DAILY, 0, False, "changed, daily, due on 2026-11-17"),
        (Cadence.DAILY, 1, True, "changed, daily, last published on 2026-11-16"),
        (Cadence.ON_CHANGE, 0, True, "changed"),
    ],
)
def test_an_image_that_has_changed_is_due_at_its_cadence(
    cadence: Cadence, days: int, due: bool, reason: str
) -> None:
    # Early in the day: the hour has no say.
    now = datetime(2026, 11, 16, 0, 5, tzinfo=UTC) + timedelta(days=days)
    assert turn_of(candidate(cadence=cadence), entry(), now) == Turn(due=due, reason=reason)


def test_a_security_update_is_due_at_once() -> None:
    updated = candidate(security={"openssl": "3.5.2", "zlib1g": "1"})
    old = entry(security={"openssl": "3.5.1", "zlib1g": "1"})
    assert turn_of(updated, old, LAST) == Turn(due=True, reason="security update of openssl")


def test_a_package_that_left_the_security_repository_is_no_update() -> None:
    assert security_updates({"openssl": "3.5.2"}, {}) == ()


versions = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2"]))


@given(versions, versions)
def test_every_package_of_a_security_repository_is_as_published_or_an_update(
    before: dict[str, str], now: dict[str, str]
) -> None:
    updates = security_updates(before, now)
    assert {name for name in now if name not in updates} == {
        name for name in now if before.get(name) == now[name]
    }


def test_a_ledger_is_read_as_it_was_written() -> None:
    ledger = Ledger(entries={CRON: entry(security={"openssl": "3.5.1"})})
    ledger = entered(ledger, {CRON: entry(NEW)})
    assert Ledger.from_json(ledger.to_json()) == ledger


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"format":2,"images":{}}', b'{"format":1,"images":{"a":{}}}']
)
def test_what_is_no_ledger_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"ledger|Expecting"):
        Ledger.from_json(text)


def test_a_ledger_keeps_what_an_image_was_before_the_newest_first() -> None:
    ledger = Ledger(entries={CRON: entry(Digest.of(b"1"))})
    for number in (b"2", b"3"):
        ledger = entered(ledger, {CRON: entry(Digest.of(number))})

    before = ledger.entries[CRON].before
    assert [each.manifest for each in before] == [Digest.of(b"2"), Digest.of(b"1")]
    left = without(ledger, [Digest.of(b"1")]).entries[CRON]
    assert [each.manifest for each in left.before] == [Digest.of(b"2")]


def test_an_image_that_is_published_again_is_not_before_itself() -> None:
    ledger = entered(Ledger(entries={CRON: entry()}), {CRON: entry()})
    assert ledger.entries[CRON].before == ()
    assert ledger.last == LAST
