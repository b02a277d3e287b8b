"""What is solved again, what stays, and how it is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.lock.fleets import (
    DEBIAN,
    EXTRAS,
    FakeSolver,
    a_catalog,
    a_distro,
    a_solution,
    a_unit,
    an_image,
    an_index,
    locked,
)

from lamina.errors import CatalogError, LockError
from lamina.layering import group_id
from lamina.lock import (
    catalog_digest,
    check_lock,
    compare_locks,
    make_lock,
    needed,
    request_digest,
)
from lamina.lock.solving import solve_images
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock

BASE = an_image("base", None, ["libc6", "openssl"])
CRON = an_image("cron", "base", ["cron"])
REDIS = an_image("redis", "base", ["redis"])
SENTINEL = an_image("redis-sentinel", "redis", ["redis-sentinel"])
FLEET = a_catalog(BASE, CRON, REDIS, SENTINEL)


def with_image(changed: Image, catalog: Catalog = FLEET) -> Catalog:
    images = tuple(changed if image.id == changed.id else image for image in catalog.images)
    return replace(catalog, images=images)


def solve_again(catalog: Catalog, previous: Lock, solver: FakeSolver, *update: str) -> Lock:
    certain = needed(catalog, previous, [ImageId(name) for name in update])
    solved = solve_images(catalog, previous, certain, solver.solve)
    return make_lock(catalog, solved, [an_index(day=2)], previous=previous)


def test_a_lock_agrees_with_the_catalogue_that_it_was_made_from() -> None:
    lock = locked(FLEET)
    assert check_lock(FLEET, lock) == ()
    assert needed(FLEET, lock, []) == ()
    assert lock.catalog == catalog_digest(FLEET)


@pytest.mark.parametrize(
    ("catalog", "differences", "solved"),
    [
        pytest.param(
            a_catalog(BASE, CRON, REDIS, SENTINEL, an_image("tgt", "base")),
            ["image tgt added"],
            ["tgt"],
            id="a new image",
        ),
        pytest.param(
            a_catalog(BASE, CRON),
            ["image redis removed", "image redis-sentinel removed"],
            [],
            id="images that are gone",
        ),
        pytest.param(
            with_image(an_image("cron", "base", ["anacron", "logrotate"])),
            ["cron: packages changed +anacron +logrotate -cron"],
            ["cron"],
            id="other packages",
        ),
        pytest.param(
            a_catalog(BASE, REDIS, an_image("cron", "redis", ["cron"]), SENTINEL),
            ["cron: parent changed base -> redis"],
            ["cron"],
            id="another parent",
        ),
        pytest.param(
            with_image(an_image("cron", "base", ["cron"], repositories=["extras"])),
            ["cron: repositories or release changed"],
            ["cron"],
            id="another repository",
        ),
        pytest.param(
            with_image(replace(REDIS, unbuildable="not packaged")),
            ["image redis removed", "image redis-sentinel removed"],
            [],
            id="an image that cannot be built any more",
        ),
    ],
)
def test_a_catalogue_that_moved_on_is_told_and_only_that_is_solved(
    catalog: Catalog, differences: list[str], solved: list[str]
) -> None:
    lock = locked(FLEET)
    assert list(check_lock(catalog, lock)) == differences
    assert [str(image) for image in needed(catalog, lock, [])] == solved
    assert lock.catalog != catalog_digest(catalog)


def test_everything_is_solved_without_a_lock() -> None:
    assert needed(FLEET, None, []) == tuple(image.id for image in FLEET.images)


def test_an_update_of_one_image_keeps_the_units_of_all_others() -> None:
    lock = locked(FLEET)
    solver = FakeSolver(versions={"cron": "2.0", "redis": "2.0"})
    new = solve_again(FLEET, lock, solver, "cron")
    assert solver.names() == ["cron"]
    assert "cron_2.0_amd64" in new.units
    assert "redis_1.0_amd64" in new.units
    assert "cron_1.0_amd64" not in new.units
    assert [image for image in new.images if image != lock.by_id()[image.id]] == [
        new.by_id()[ImageId("cron")]
    ]


def test_what_stands_below_a_changed_parent_is_solved_again() -> None:
    solver = FakeSolver(versions={"openssl": "2.0"})
    solve_again(FLEET, locked(FLEET), solver, "base")
    assert solver.names() == ["base", "cron", "redis", "redis-sentinel"]


def test_an_update_that_brings_the_same_packages_ends_there() -> None:
    solver = FakeSolver(versions={"redis": "2.0"})
    lock = locked(FLEET)
    new = solve_again(FLEET, lock, solver, "base")
    assert solver.names() == ["base"]
    assert new.images == lock.images


def test_a_child_is_asked_about_over_everything_that_its_parent_has() -> None:
    solver = FakeSolver()
    solve_images(FLEET, None, needed(FLEET, None, []), solver.solve)
    installed = {
        str(question.image.id): question.installed and [unit.name for unit in question.installed]
        for question in solver.asked
    }
    assert installed == {
        "base": None,
        "cron": ["libc6", "openssl"],
        "redis": ["libc6", "openssl"],
        "redis-sentinel": ["libc6", "openssl", "redis"],
    }


def test_images_of_one_parent_are_asked_about_together() -> None:
    catalog = a_catalog(
        an_image("base"),
        an_image("a", "base"),
        an_image("a-1", "a"),
        an_image("b", "base"),
        an_image("b-1", "b"),
        an_image("a-2", "a"),
    )
    solver = FakeSolver()
    solve_images(catalog, None, needed(catalog, None, []), solver.solve)
    assert solver.names() == ["base", "a", "b", "a-1", "a-2", "b-1"]


def test_every_image_that_cannot_be_solved_is_told_and_none_below_it() -> None:
    solver = FakeSolver(missing=frozenset({"cron", "redis", "redis-sentinel"}))
    with pytest.raises(CatalogError) as caught:
        solve_images(FLEET, None, needed(FLEET, None, []), solver.solve)
    assert [fault.message for fault in caught.value.faults] == [
        "no package cron",
        "no package redis",
    ]


def test_an_image_has_the_repositories_of_its_parent() -> None:
    catalog = a_catalog(
        an_image("base"),
        an_image("ceph", "base", repositories=["extras"]),
        an_image("ceph-osd", "ceph"),
    )
    solver = FakeSolver()
    solve_images(catalog, None, needed(catalog, None, []), solver.solve)
    assert {str(q.image.id): q.repositories for q in solver.asked} == {
        "base": ("debian",),
        "ceph": ("debian", "extras"),
        "ceph-osd": ("debian", "extras"),
    }


def test_the_lock_names_every_index_that_a_choice_was_made_from() -> None:
    lock = locked(FLEET)
    everything = [str(image.id) for image in FLEET.images]
    assert lock.indices == (an_index(1),)
    assert solve_again(FLEET, lock, FakeSolver(), "cron").indices == (an_index(1), an_index(2))
    assert solve_again(FLEET, lock, FakeSolver(), *everything).indices == (an_index(2),)


def test_a_file_rebuilt_under_the_same_version_is_no_silent_change() -> None:
    shared = a_catalog(BASE, an_image("a", "base", ["tool"]), an_image("b", "base", ["tool"]))
    lock = locked(shared)
    rebuilt = {ImageId("a"): a_solution(ImageId("a"), [a_unit("tool", content="new")])}
    with pytest.raises(LockError, match=r"b: the repository has another file for tool_1\.0_amd64"):
        make_lock(shared, rebuilt, [an_index(2)], previous=lock)


def test_the_order_of_packages_in_the_catalogue_does_not_matter() -> None:
    one = an_image("a", "base", ["x", "y"])
    other = an_image("a", "base", ["y", "x"])
    assert request_digest(one, FLEET.distro) == request_digest(other, FLEET.distro)


@pytest.mark.parametrize(
    "distro",
    [
        replace(a_distro(), release="forky"),
        a_distro(replace(DEBIAN, suites=("trixie", "trixie-updates")), EXTRAS),
        a_distro(replace(DEBIAN, components=("main", "contrib")), EXTRAS),
        a_distro(DEBIAN, replace(EXTRAS, default=True)),
    ],
)
def test_a_request_changes_with_the_distribution(distro: object) -> None:
    assert isinstance(distro, type(FLEET.distro))
    assert request_digest(CRON, distro) != request_digest(CRON, FLEET.distro)


def test_a_key_file_of_this_machine_is_no_part_of_a_request() -> None:
    elsewhere = a_distro(replace(DEBIAN, keyring="/srv/other.asc"), EXTRAS)
    assert request_digest(CRON, elsewhere) == request_digest(CRON, FLEET.distro)


def test_a_lock_for_another_architecture_is_told() -> None:
    lock = replace(locked(FLEET), architecture="arm64")
    assert check_lock(FLEET, lock) == (
        "the lock is for debian-13 arm64, the catalogue for debian-13 amd64",
    )


def test_equal_locks_have_nothing_to_tell() -> None:
    change = compare_locks(locked(FLEET), locked(FLEET, day=2))
    assert str(change) == ""
    assert change.touched == ()


def test_a_package_that_moved_is_told_with_the_images_that_it_reaches() -> None:
    new = locked(FLEET, {"openssl": "3.5.2", "redis": "8.0"})
    change = compare_locks(locked(FLEET), new)
    assert str(change).splitlines() == [
        "openssl 1.0 -> 3.5.2: base, and 3 images below it",
        "redis 1.0 -> 8.0: redis, and 1 image below it",
        f"layer {group_id(['libc6', 'openssl'])} changed, 2 packages, 2.0 kB: base",
        f"layer {group_id(['redis'])} changed, 1 package, 1.0 kB: redis",
        "2 changed layers, 3.0 kB of packages",
    ]
    assert change.layer_bytes == 3000
    assert [str(image) for image in change.touched] == [
        "base",
        "cron",
        "redis",
        "redis-sentinel",
    ]


def test_what_came_and_went_is_told() -> None:
    new = locked(
        a_catalog(
            BASE,
            an_image("cron", "base", ["anacron"]),
            an_image("tgt", "base", ["tgt"]),
            an_image("redis", "base", ["redis"]),
        )
    )
    change = compare_locks(locked(FLEET), new)
    assert str(change).splitlines() == [
        "image tgt added",
        "image redis-sentinel removed",
        "anacron 1.0 added: cron",
        "cron 1.0 removed: cron",
        f"layer {group_id(['anacron'])} new, 1 package, 1.0 kB: cron",
        f"layer {group_id(['tgt'])} new, 1 package, 1.0 kB: tgt",
        "2 new layers, 2.0 kB of packages",
    ]
    assert [str(image) for image in change.touched] == ["cron", "tgt"]


def test_many_images_are_counted_and_another_file_of_one_version_is_told() -> None:
    names = ["a", "b", "c", "d", "e"]
    catalog = a_catalog(an_image("base"), *(an_image(name, "base", ["tool"]) for name in names))
    old = locked(catalog)
    units = {"tool_1.0_amd64": a_unit("tool", content="rebuilt")}
    change = compare_locks(old, replace(old, units=units))
    assert str(change).splitlines() == [
        "tool 1.0, another file: a, b, c and 2 more",
        f"layer {group_id(['tool'])} changed, 1 package, 1.0 kB: a, b, c and 2 more",
        "1 changed layer, 1.0 kB of packages",
    ]


def test_a_lock_keeps_its_layers_and_its_layer_budget() -> None:
    first = make_lock(FLEET, {}, (), previous=locked(FLEET), layer_budget=20)
    again = make_lock(FLEET, {}, (), previous=first)
    assert again == first
    assert again.layer_budget == 20
    assert compare_locks(locked(FLEET), again).layer_budget == (60, 20)
    assert check_lock(FLEET, again, layer_budget=20) == ()
    assert check_lock(FLEET, again, layer_budget=60) == ("layer budget changed 20 -> 60",)


def test_every_package_of_an_image_lies_in_one_of_its_layers() -> None:
    shared = a_catalog(
        BASE, an_image("a", "base", ["tool", "x"]), an_image("b", "base", ["tool", "y"])
    )
    lock = locked(shared)
    layers = {str(image.id): [lock.layers[id_] for id_ in image.layers] for image in lock.images}
    assert layers == {
        "base": [("libc6", "openssl")],
        "a": [("tool",), ("x",)],
        "b": [("tool",), ("y",)],
    }


def test_two_architectures_of_a_package_in_one_image_have_two_names() -> None:
    native = a_unit("libc6")
    units = [native, replace(native, architecture="i386", digest=a_unit("other").digest)]
    image = an_image("wine", None, ["libc6", "libc6:i386"])
    lock = make_lock(a_catalog(image), {image.id: a_solution(image.id, units)}, [an_index()])
    assert list(lock.layers.values()) == [("libc6", "libc6:i386")]


def test_a_budget_that_an_image_cannot_meet_makes_no_lock() -> None:
    with pytest.raises(LockError, match="redis-sentinel: with its ancestors it needs 6 layers"):
        make_lock(FLEET, {}, (), previous=locked(FLEET), layer_budget=5)
