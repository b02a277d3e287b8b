"""A plan sends what is missing, once, and puts every name in its place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.publish.publications import blob, holding, publication, tags_of

from lamina.errors import NetworkError
from lamina.model.digest import Digest
from lamina.model.reference import Reference
from lamina.publish import Holdings, Publication, PublishPlan, check_content_tags, make_plan

BASE = publication("base", "ab")
CRON = publication("cron", "abc", names=("binary-cron", "source-cron"), generation=1)


def performed(plan: PublishPlan, holdings: Holdings) -> Holdings:
    """Return what a registry has after a plan, which it refuses where a real one would."""
    blobs = {name: set(digests) for name, digests in holdings.blobs.items()}
    tags = dict(holdings.tags)
    for upload in plan.uploads:
        blobs.setdefault(upload.repository, set()).add(upload.blob.digest)
    for mount in plan.mounts:
        assert mount.blob.digest in blobs[mount.source]
        blobs.setdefault(mount.repository, set()).add(mount.blob.digest)
    for tagging in (*plan.contents, *plan.tags):
        tags[tagging.reference] = tagging.manifest
    return Holdings(tags=tags, blobs={name: frozenset(found) for name, found in blobs.items()})


def test_what_images_share_is_sent_once_and_mounted_elsewhere() -> None:
    plan = make_plan([BASE, CRON], Holdings())

    sent = [(one.repository, one.blob.digest) for one in plan.uploads]
    assert sent == [
        *(("fleet/base", blob(name).digest) for name in ("base", "a", "b")),
        *(("fleet/cron", blob(name).digest) for name in ("cron", "c")),
    ]
    assert plan.blob_bytes == 3 * 1000 + 2 * 10
    into = [(one.source, one.repository) for one in plan.mounts]
    assert into.count(("fleet/base", "fleet/cron")) == 2
    assert into.count(("fleet/cron", "fleet/binary-cron")) == 2
    assert into.count(("fleet/base", "fleet/source-cron")) == 2
    assert len(plan.mounts) == 2 + 4 + 4
    assert len(plan.contents) == len(plan.tags) == 4
    assert plan.requests == 2 * 5 + 10 + 4 + 4
    assert plan.manifest_bytes == 800


def test_what_is_published_is_left_alone() -> None:
    assert make_plan([BASE, CRON], holding(BASE, CRON)) == PublishPlan()


def test_a_changed_image_sends_what_its_old_manifest_does_not_have() -> None:
    old = publication("cron", "abx", names=("binary-cron", "source-cron"), generation=1)

    plan = make_plan([BASE, CRON], holding(BASE, old))

    assert [one.blob for one in plan.uploads] == [blob("c", 1000)]
    assert [one.repository for one in plan.mounts] == ["fleet/binary-cron", "fleet/source-cron"]
    assert {one.image.name for one in (*plan.contents, *plan.tags)} == {"cron"}


def test_a_moved_tag_is_put_back_without_sending_anything() -> None:
    there = holding(BASE, CRON)
    moved = Reference(repository="fleet/binary-cron", tag="latest")

    tags = {**there.tags, moved: BASE.manifest}
    plan = make_plan([BASE, CRON], Holdings(tags=tags, blobs=there.blobs))

    assert [one.reference for one in plan.tags] == [moved]
    assert plan.requests == 1


def test_a_blob_that_was_lost_is_sent_again_and_no_manifest_put() -> None:
    there = holding(BASE, CRON)
    lost = {blob("a", 1000).digest}
    blobs = {name: digests - lost for name, digests in there.blobs.items()}

    plan = make_plan([BASE, CRON], Holdings(tags=there.tags, blobs=blobs))

    assert [(one.repository, one.blob) for one in plan.uploads] == [("fleet/base", blob("a", 1000))]
    assert [one.repository for one in plan.mounts] == list(CRON.repositories)
    assert (plan.contents, plan.tags) == ((), ())


def test_a_removed_content_tag_is_put_again_without_sending_anything() -> None:
    there = holding(BASE)
    tags = {tag: digest for tag, digest in there.tags.items() if tag.tag == "latest"}

    plan = make_plan([BASE], Holdings(tags=tags, blobs=there.blobs))

    assert (plan.uploads, plan.mounts, plan.tags) == ((), (), ())
    assert [one.reference.tag for one in plan.contents] == [BASE.content_tag]


def test_a_content_tag_that_was_moved_is_a_fault() -> None:
    tag = Reference(repository="fleet/cron", tag=CRON.content_tag)

    with pytest.raises(NetworkError) as told:
        check_content_tags([BASE, CRON], Holdings(tags={tag: BASE.manifest}))

    assert [fault.place for fault in told.value.faults] == [str(tag)]


def test_a_content_tag_is_not_taken_for_that_of_a_referrer() -> None:
    assert not CRON.content_tag.startswith("sha256-")
    assert CRON.content_tag.endswith(CRON.manifest.hex[:16])


@st.composite
def fleets(draw: st.DrawFn) -> Sequence[Publication]:
    names = draw(st.lists(st.sampled_from("klmnop"), min_size=1, unique=True))
    layers = st.text("abcde", max_size=5)
    return [
        publication(
            name, draw(layers), names=tuple(f"{name}{n}" for n in range(draw(st.integers(0, 2))))
        )
        for name in names
    ]


@st.composite
def states(draw: st.DrawFn) -> tuple[Sequence[Publication], Holdings]:
    """Return a fleet, and a registry with some of it and of an older one.

    It has blobs without manifest, and has lost blobs that manifests name.
    """
    fleet = draw(fleets())
    there = holding(*draw(fleets()), *draw(st.lists(st.sampled_from(fleet))))
    repositories = sorted({name for one in fleet for name in one.repositories})
    strays: dict[str, frozenset[Digest]] = {
        name: frozenset(blob(letter).digest for letter in draw(st.text("abcde", max_size=3)))
        for name in draw(st.lists(st.sampled_from(repositories), unique=True))
    }
    lost = draw(st.frozensets(st.sampled_from([blob(letter, 1000).digest for letter in "abcde"])))
    losing = draw(st.frozensets(st.sampled_from(repositories)))
    blobs = {
        name: there.blobs.get(name, frozenset()) - (lost if name in losing else frozenset())
        | strays.get(name, frozenset())
        for name in {*there.blobs, *strays}
    }
    return fleet, Holdings(tags=there.tags, blobs=blobs)


@given(states())
def test_after_a_plan_every_name_means_its_image_with_all_its_blobs(
    state: tuple[Sequence[Publication], Holdings],
) -> None:
    fleet, before = state
    after = performed(make_plan(fleet, before), before)

    for one in fleet:
        assert tags_of(one).items() <= after.tags.items()
        for repository in one.repositories:
            assert {part.digest for part in one.blobs} <= after.blobs[repository]
    assert make_plan(fleet, after) == PublishPlan()


@given(states())
def test_no_blob_is_sent_twice_nor_when_any_repository_has_it(
    state: tuple[Sequence[Publication], Holdings],
) -> None:
    fleet, before = state
    sent = [upload.blob.digest for upload in make_plan(fleet, before).uploads]

    assert len(sent) == len(set(sent))
    assert not set(sent) & {digest for found in before.blobs.values() for digest in found}
