from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.artifacts.releases import line
from tests.plan.fleets import (
    DISTRO,
    a_build,
    a_catalog,
    a_lock,
    a_unit,
    an_image,
    with_image,
)

from lamina.errors import BuildError, LockError
from lamina.layering import group_id
from lamina.model.artifact import Recipe
from lamina.model.built import Built
from lamina.model.catalog import Catalog, PathRule
from lamina.model.digest import Digest
from lamina.model.image import FileCopy, Image, ImageId, Kind, Runtime, Type, User
from lamina.model.lock import DpkgCall, Lock, UnitRef
from lamina.model.plan import Plan
from lamina.plan import make_plan, refuse_unbuildable, with_pulls

BASE, CRON, MARIADB = ImageId("base"), ImageId("cron"), ImageId("mariadb")
PACKAGES = {
    "base": [a_unit("libc6"), a_unit("openssl", "3.5.1")],
    "cron": [a_unit("cron"), a_unit("logrotate")],
    "mariadb": [a_unit("mariadb-server")],
}
FILE = FileCopy(path="/etc/x", source="here", digest=Digest.of(b"1"), mode=0o644)


@pytest.fixture
def catalog() -> Catalog:
    cron = replace(an_image("cron", "base"), files=(FILE,))
    return a_catalog(an_image("base"), cron, an_image("mariadb", "base"))


@pytest.fixture
def lock(catalog: Catalog) -> Lock:
    return a_lock(catalog, PACKAGES)


@pytest.fixture
def current(catalog: Catalog, lock: Lock) -> dict[ImageId, Built]:
    return a_build(catalog, lock)


def everything(catalog: Catalog) -> list[ImageId]:
    return [image.id for image in catalog.images]


def shown(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {str(step.image): (step.action, *step.reasons) for step in plan.steps}


def test_with_an_empty_store_everything_is_new(catalog: Catalog, lock: Lock) -> None:
    plan = make_plan(catalog, lock, {}, everything(catalog))

    assert shown(plan) == {
        "base": ("build", "new"),
        "cron": ("build", "new"),
        "mariadb": ("build", "new"),
    }


def test_after_a_build_everything_is_kept(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    plan = make_plan(catalog, lock, current, everything(catalog))

    assert {action for action, *_ in shown(plan).values()} == {"keep"}
    assert plan.steps[0].reasons == ("unchanged",)


def test_ancestors_of_the_selected_come_by_themselves_and_nothing_else(
    catalog: Catalog, lock: Lock
) -> None:
    plan = make_plan(catalog, lock, {}, [CRON])

    assert [step.image for step in plan.steps] == [BASE, CRON]


def test_a_package_update_rebuilds_the_image_that_holds_it_and_says_which_versions(
    catalog: Catalog, current: dict[ImageId, Built]
) -> None:
    newer = PACKAGES | {"cron": [a_unit("cron", "1.1"), a_unit("logrotate")]}

    plan = make_plan(catalog, a_lock(catalog, newer), current, everything(catalog))

    assert shown(plan) == {
        "base": ("keep", "unchanged"),
        "cron": ("build", "package cron 1.0 -> 1.1"),
        "mariadb": ("keep", "unchanged"),
    }


def test_packages_that_come_and_go_are_named(
    catalog: Catalog, current: dict[ImageId, Built]
) -> None:
    other = PACKAGES | {"cron": [a_unit("cron"), a_unit("anacron")]}

    plan = make_plan(catalog, a_lock(catalog, other), current, [CRON])

    assert plan.by_id()[CRON].reasons == ("package anacron added", "package logrotate removed")


def test_one_version_with_other_content_is_no_silent_change(
    catalog: Catalog, current: dict[ImageId, Built]
) -> None:
    rebuilt = replace(a_unit("cron"), digest=Digest.of(b"rebuilt"))
    other = PACKAGES | {"cron": [rebuilt, a_unit("logrotate")]}

    plan = make_plan(catalog, a_lock(catalog, other), current, [CRON])

    assert plan.by_id()[CRON].reasons == ("package cron 1.0 has other content",)


def test_a_foreign_architecture_is_a_package_of_its_own(catalog: Catalog) -> None:
    both = PACKAGES | {"cron": [a_unit("libc6"), a_unit("libc6", architecture="i386")]}
    lock = a_lock(catalog, both)
    current = a_build(catalog, lock)
    newer = PACKAGES | {"cron": [a_unit("libc6"), a_unit("libc6", "1.1", "i386")]}

    plan = make_plan(catalog, a_lock(catalog, newer), current, [CRON])

    assert plan.by_id()[CRON].reasons == ("package libc6:i386 1.0 -> 1.1",)


def test_another_order_of_the_same_packages_rebuilds(
    catalog: Catalog, current: dict[ImageId, Built]
) -> None:
    other = PACKAGES | {"cron": [a_unit("logrotate"), a_unit("cron")]}

    plan = make_plan(catalog, a_lock(catalog, other), current, [CRON])

    assert plan.by_id()[CRON].reasons == ("install order changed",)


def test_packages_split_over_other_calls_rebuild(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    cron = lock.by_id()[CRON]
    calls = tuple(
        DpkgCall(action=call.action, units=(key,)) for call in cron.calls for key in call.units
    )
    images = tuple(
        replace(image, calls=calls) if image.id == CRON else image for image in lock.images
    )

    plan = make_plan(catalog, replace(lock, images=images), current, [CRON])

    assert plan.by_id()[CRON].reasons == ("install order changed",)


def test_essential_packages_count_as_packages(catalog: Catalog, lock: Lock) -> None:
    def essential(*keys: str) -> Lock:
        base, *others = lock.images
        return replace(lock, images=(replace(base, bootstrap=keys, calls=()), *others))

    current = a_build(catalog, essential("libc6_1.0_amd64"))

    plan = make_plan(catalog, essential("libc6_1.0_amd64", "cron_1.0_amd64"), current, [BASE])

    assert plan.by_id()[BASE].reasons == ("package cron added",)


@pytest.mark.parametrize(
    "changed",
    [
        replace(FILE, digest=Digest.of(b"2")),
        replace(FILE, mode=0o755),
        replace(FILE, owner="mysql"),
        replace(FILE, group="mysql"),
    ],
    ids=["content", "mode", "owner", "group"],
)
def test_a_changed_file_is_named(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built], changed: FileCopy
) -> None:
    cron = replace(catalog.by_id()[CRON], files=(changed,))

    plan = make_plan(with_image(catalog, cron), lock, current, [CRON])

    assert plan.by_id()[CRON].reasons == ("file /etc/x changed",)


def test_where_a_file_lies_on_this_machine_does_not_matter(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    cron = replace(catalog.by_id()[CRON], files=(replace(FILE, source="elsewhere"),))

    plan = make_plan(with_image(catalog, cron), lock, current, [CRON])

    assert plan.by_id()[CRON].action == "keep"


@pytest.mark.parametrize(
    "changed",
    [
        replace(an_image("mariadb", "base"), steps=("true",)),
        replace(an_image("mariadb", "base"), remove=("/srv/*",)),
        replace(
            an_image("mariadb", "base"),
            users=(User(name="m", uid=1, gid=1, group="m", home="/"),),
        ),
        replace(an_image("mariadb", "base"), runtime=Runtime(user="mysql")),
        replace(an_image("mariadb", "base"), runtime=Runtime(environment={"A": "b"})),
    ],
    ids=["steps", "remove", "users", "user", "environment"],
)
def test_a_changed_entry_rebuilds(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built], changed: Image
) -> None:
    plan = make_plan(with_image(catalog, changed), lock, current, everything(catalog))

    assert shown(plan) == {
        "base": ("keep", "unchanged"),
        "cron": ("keep", "unchanged"),
        "mariadb": ("build", "catalogue entry changed"),
    }


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        (PathRule(glob="/var/log/dpkg.log", action="remove", why="better said"), "keep"),
        (PathRule(glob="/var/log/dpkg.log", action="empty", why="times"), "build"),
    ],
    ids=["its reason", "its action"],
)
def test_of_a_path_rule_only_what_it_does_counts(
    catalog: Catalog,
    lock: Lock,
    current: dict[ImageId, Built],
    rule: PathRule,
    action: str,
) -> None:
    ruled = replace(catalog, distro=replace(DISTRO, rules=(rule,)))

    plan = make_plan(ruled, lock, current, [BASE])

    assert plan.by_id()[BASE].action == action


def test_a_summary_a_test_or_an_alias_rebuilds_nothing(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    cron = replace(catalog.by_id()[CRON], summary="runs jobs", aliases=("crond",), place="x:1")

    plan = make_plan(with_image(catalog, cron), lock, current, [CRON])

    assert plan.by_id()[CRON].action == "keep"


def test_children_of_an_image_that_is_built_are_planned_after_it_and_say_so(
    catalog: Catalog, current: dict[ImageId, Built]
) -> None:
    newer = PACKAGES | {
        "base": [a_unit("libc6"), a_unit("openssl", "3.5.2")],
        "cron": [a_unit("cron", "1.1"), a_unit("logrotate")],
    }

    plan = make_plan(catalog, a_lock(catalog, newer), current, everything(catalog))

    assert shown(plan) == {
        "base": ("build", "package openssl 3.5.1 -> 3.5.2"),
        "cron": ("build", "package cron 1.0 -> 1.1", "parent base is built first"),
        "mariadb": ("build", "parent base is built first"),
    }


def test_a_parent_that_came_out_different_rebuilds_its_children(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    current[BASE] = replace(current[BASE], manifest=Digest.of(b"other bits"))

    plan = make_plan(catalog, lock, current, everything(catalog))

    assert shown(plan) == {
        "base": ("keep", "unchanged"),
        "cron": ("build", "parent changed"),
        "mariadb": ("build", "parent changed"),
    }


def test_a_new_engine_rebuilds_everything_and_says_so(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    older = replace(current[BASE].inputs, engine=current[BASE].inputs.engine - 1)
    current[BASE] = replace(current[BASE], inputs=older, key=older.key())

    plan = make_plan(catalog, lock, current, [BASE])

    assert plan.by_id()[BASE].reasons == ("engine changed",)


def test_another_compression_rebuilds_and_says_so(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    older = replace(current[BASE].inputs, codec="gzip 1 of yesterday")
    current[BASE] = replace(current[BASE], inputs=older, key=older.key())

    plan = make_plan(catalog, lock, current, [BASE])

    assert plan.by_id()[BASE].reasons == ("compression changed",)


def test_a_key_from_another_way_of_computing_keys_is_the_engines_change(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    current[BASE] = replace(current[BASE], key=Digest.of(b"as it was computed before"))

    plan = make_plan(catalog, lock, current, [BASE])

    assert plan.by_id()[BASE].reasons == ("engine changed",)


def test_what_cannot_be_built_blocks_only_its_descendants_and_says_why() -> None:
    catalog = a_catalog(
        an_image("base"),
        an_image("cron", "base"),
        an_image("kafka", "base", unbuildable="not packaged"),
        an_image("kafka-ui", "kafka"),
        an_image("kafka-ui-extra", "kafka-ui"),
    )

    plan = make_plan(catalog, a_lock(catalog, {}), {}, everything(catalog))

    assert shown(plan) == {
        "base": ("build", "new"),
        "cron": ("build", "new"),
        "kafka": ("blocked", "not packaged"),
        "kafka-ui": ("blocked", "kafka is blocked"),
        "kafka-ui-extra": ("blocked", "kafka-ui is blocked"),
    }


TOOL = replace(
    a_unit("artifact:tool"),
    pinned="first sight",
    recipe=Recipe(install=(line("", "/usr/bin/tool"),)),
)


def test_an_artifact_that_the_lock_could_not_pin_blocks_its_image_and_what_stands_on_it() -> None:
    catalog = a_catalog(an_image("base"), an_image("kafka", "base"), an_image("kafka-ui", "kafka"))
    lock = a_lock(catalog, {})
    keys = ("artifact:kafka_4.0.0_all", "artifact:tool_1.0_amd64")
    images = tuple(
        replace(image, unpinned=keys) if image.id.name == "kafka" else image
        for image in lock.images
    )

    plan = make_plan(catalog, replace(lock, images=images), {}, everything(catalog))

    assert shown(plan) == {
        "base": ("build", "new"),
        "kafka": (
            "blocked",
            "the lock has no digest of artifact kafka 4.0.0, artifact tool 1.0: "
            "run `lamina lock` where the place can be reached",
        ),
        "kafka-ui": ("blocked", "kafka is blocked"),
    }


def with_artifact(lock: Lock, unit: UnitRef) -> Lock:
    """Return the lock with an artifact in cron."""
    group = group_id([unit.name])
    images = tuple(
        replace(image, artifacts=(unit.key,), layers=(*image.layers, group))
        if image.id == CRON
        else image
        for image in lock.images
    )
    layers = {**lock.layers, group: (unit.name,)}
    return replace(lock, units={**lock.units, unit.key: unit}, layers=layers, images=images)


@pytest.mark.parametrize(
    ("unit", "reasons"),
    [
        pytest.param(TOOL, ("unchanged",), id="the same"),
        pytest.param(
            replace(TOOL, version="1.1"), ("artifact tool 1.0 -> 1.1",), id="another version"
        ),
        pytest.param(
            replace(TOOL, digest=Digest.of(b"x")),
            ("artifact tool 1.0 has other content",),
            id="another file",
        ),
        pytest.param(
            replace(TOOL, recipe=Recipe(install=(line("", "/usr/sbin/tool"),))),
            ("artifact tool 1.0 has other content",),
            id="another recipe",
        ),
        pytest.param(
            replace(TOOL, repository="mirror", path="elsewhere", pinned="catalogue", size=None),
            ("unchanged",),
            id="the same from elsewhere",
        ),
    ],
)
def test_an_artifact_rebuilds_its_image_when_something_else_comes_of_it(
    unit: UnitRef, reasons: tuple[str, ...], catalog: Catalog, lock: Lock
) -> None:
    current = a_build(catalog, with_artifact(lock, TOOL))

    plan = make_plan(catalog, with_artifact(lock, unit), current, [CRON])

    assert plan.by_id()[CRON].reasons == reasons


def test_artifacts_that_come_and_go_are_named(catalog: Catalog, lock: Lock) -> None:
    added = make_plan(catalog, with_artifact(lock, TOOL), a_build(catalog, lock), [CRON])
    removed = make_plan(catalog, lock, a_build(catalog, with_artifact(lock, TOOL)), [CRON])

    assert added.by_id()[CRON].reasons == ("artifact tool added",)
    assert removed.by_id()[CRON].reasons == ("artifact tool removed",)


NOVA = replace(an_image("nova", "base"), kind=Kind.OPENSTACK)
FLEET = a_catalog(
    an_image("base"),
    an_image("kafka", "base", unbuildable="not packaged"),
    an_image("kafka-ui", "kafka"),
    replace(NOVA, id=ImageId("nova", Type.SOURCE)),
    replace(NOVA, id=ImageId("nova", Type.BINARY), unbuildable="none"),
)


@pytest.mark.parametrize("term", ["base", "kafka*", "kafka+", "family:kafka", "nova"])
def test_what_is_not_named_outright_may_be_left_out_of_a_build(term: str) -> None:
    refuse_unbuildable(FLEET, [term])


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("kafka", "kafka: cannot be built for debian-13: not packaged"),
        ("debian-kafka-ui", "kafka-ui: cannot be built for debian-13: kafka is blocked"),
        ("binary-nova", "binary-nova: cannot be built for debian-13: none"),
    ],
)
def test_an_image_named_outright_that_cannot_be_built_is_refused(term: str, message: str) -> None:
    with pytest.raises(BuildError, match=f"^{message}\n"):
        refuse_unbuildable(FLEET, ["base", term])


def test_every_image_that_the_lock_lacks_is_a_fault_of_its_own(
    catalog: Catalog, lock: Lock
) -> None:
    with pytest.raises(LockError) as caught:
        make_plan(catalog, replace(lock, images=lock.images[:1]), {}, everything(catalog))

    assert [fault.message for fault in caught.value.faults] == [
        "image cron is not in the lock",
        "image mariadb is not in the lock",
    ]
    assert caught.value.faults[0].remedy == "run `lamina lock`"


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Catalog, dict[str, list[str]]]:
    """A tree of images, and the packages of each."""
    names = [f"image-{number}" for number in range(draw(st.integers(1, 12)))]
    parents = [None, *(draw(st.sampled_from(names[:n])) for n in range(1, len(names)))]
    packages = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=4)
    images = [an_image(name, parent) for name, parent in zip(names, parents, strict=True)]
    return a_catalog(*images), {name: draw(packages) for name in names}


@given(fleet=fleets(), updated=st.sampled_from("abcdefgh"))
@settings(max_examples=60, deadline=None)
def test_a_package_update_touches_exactly_its_holders_and_their_descendants(
    fleet: tuple[Catalog, dict[str, list[str]]], updated: str
) -> None:
    catalog, packages = fleet
    before = a_lock(catalog, {name: map(a_unit, own) for name, own in packages.items()})
    after = a_lock(
        catalog,
        {
            name: [a_unit(package, "2.0" if package == updated else "1.0") for package in own]
            for name, own in packages.items()
        },
    )

    plan = make_plan(catalog, after, a_build(catalog, before), everything(catalog))

    touched: set[ImageId] = set()
    for image in catalog.images:
        if updated in packages[image.id.name] or image.parent in touched:
            touched.add(image.id)
    assert set(plan.with_action("build")) == touched


@given(fleet=fleets(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_plan_holds_the_selection_with_its_ancestors_parents_first(
    fleet: tuple[Catalog, dict[str, list[str]]], data: st.DataObject
) -> None:
    catalog, _ = fleet
    selection = data.draw(st.lists(st.sampled_from(everything(catalog)), unique=True))

    plan = make_plan(catalog, a_lock(catalog, {}), {}, selection)

    images = catalog.by_id()
    planned = [step.image for step in plan.steps]
    assert set(selection) <= set(planned)
    for place, image in enumerate(planned):
        parent = images[image].parent
        assert parent is None or parent in planned[:place]
        children = [other for other in planned if images[other].parent == image]
        assert image in selection or children
    assert all(step.reasons for step in plan.steps)


def test_ten_thousand_images_are_planned_in_under_five_seconds() -> None:
    chance = random.Random(7)
    names = ["base", *(f"image-{number}" for number in range(9_999))]
    images = [an_image("base")]
    images += [
        replace(an_image(name, names[chance.randrange(min(place + 1, 300))]), files=(FILE,))
        for place, name in enumerate(names[1:])
    ]
    catalog = a_catalog(*images)
    units = [a_unit(f"package-{number}") for number in range(3_000)]
    lock = a_lock(catalog, {name: chance.sample(units, 20) for name in names})
    current = a_build(catalog, lock)

    begin = time.perf_counter()
    plan = make_plan(catalog, lock, current, everything(catalog))
    seconds = time.perf_counter() - begin

    assert len(plan.with_action("keep")) == 10_000
    assert seconds < 5


def test_what_a_cache_has_is_pulled_and_says_from_where(
    catalog: Catalog, lock: Lock, current: dict[ImageId, Built]
) -> None:
    plan = make_plan(catalog, lock, current, everything(catalog))

    steps = with_pulls(plan, {CRON: "registry.example/fleet"}).by_id()

    assert steps[CRON].action == "pull"
    assert steps[CRON].reasons == ("in the cache registry.example/fleet",)
    assert steps[BASE] == plan.by_id()[BASE]
