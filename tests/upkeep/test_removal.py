from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lamina.model.digest import Digest
from lamina.upkeep.removal import Removal, Retention, outdated, remove_tags

A, B, C = (Digest.of(text) for text in (b"a", b"b", b"c"))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_manifest_goes_with_all_its_tags() -> None:
    tags = {"old": A, "content-a": A, "new": B}

    assert remove_tags("fleet/cron", tags, ["old", "content-a"], {}) == Removal(
        repository="fleet/cron", digests=(A,), tags=("content-a", "old"), kept={}
    )


def test_a_manifest_that_another_tag_means_stays() -> None:
    removal = remove_tags("fleet/cron", {"old": A, "new": A}, ["old"], {})

    assert removal.digests == ()
    assert removal.tags == ()
    assert removal.kept == {"old": "the tag new means the same"}


def test_a_manifest_that_something_else_needs_stays_with_the_reason() -> None:
    removal = remove_tags("fleet/cron", {"old": A, "older": B}, ["old", "older"], {A: "the lock"})

    assert removal.digests == (B,)
    assert removal.kept == {"old": "the lock"}


def test_a_tag_that_is_gone_already_is_nothing_to_do() -> None:
    assert remove_tags("fleet/cron", {"new": A}, ["old"], {}).digests == ()


digests = st.sampled_from([A, B, C])
names = st.sampled_from(["t1", "t2", "t3", "t4", "t5"])


@given(st.dictionaries(names, digests), st.sets(names), st.sets(digests))
def test_nothing_that_stays_loses_its_manifest(
    tags: dict[str, Digest], wanted: set[str], needed: set[Digest]
) -> None:
    removal = remove_tags("r", tags, wanted, dict.fromkeys(needed, "needed"))

    gone = set(removal.digests)
    assert gone.isdisjoint(needed)
    assert gone.isdisjoint(digest for tag, digest in tags.items() if tag not in wanted)
    assert set(removal.tags) == {tag for tag, digest in tags.items() if digest in gone}
    assert set(removal.tags) | set(removal.kept) == wanted & tags.keys()


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def test_count_and_age_both_keep() -> None:
    tags = {"a": A, "b": B, "c": C}
    published = {A: days_ago(40), B: days_ago(20), C: days_ago(1)}

    assert outdated(tags, published, Retention(count=0, days=30), NOW) == ("a",)
    assert outdated(tags, published, Retention(count=2, days=0), NOW) == ("a",)
    assert outdated(tags, published, Retention(count=1, days=10), NOW) == ("a", "b")
    assert outdated(tags, published, Retention(count=3, days=0), NOW) == ()


def test_what_nobody_knows_the_age_of_stays() -> None:
    assert outdated({"a": A}, {}, Retention(count=0, days=0), NOW) == ()
