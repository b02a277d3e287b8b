"""A fleet is locked by the distribution's own apt, over Debian and a signed repository of ours."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.lock.archive import Archive, new_key
from tests.lock.fleets import DEBIAN, EXTRAS, a_catalog, a_distro, an_image

from lamina.errors import CatalogError, LockError, NetworkError
from lamina.lock import Source, compare_locks, lock_fleet, lock_text
from lamina.model.amounts import size_text
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import Doing, Event
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock

pytestmark = pytest.mark.real

BASE = an_image("base", None, ["tzdata"])
CRON = an_image("cron", "base", ["cron"])
EXTRA = an_image("extra", "base", ["tool"], repositories=["extras"])
CHILD = an_image("child", "extra", ["lonely"])
ALL = [image.id for image in (BASE, CRON, EXTRA, CHILD)]


@dataclass
class Room:
    """The lock room, set up; what it says is kept."""

    store: Path
    archive: Archive
    said: list[str] = field(default_factory=list)

    def catalog(self, *images: Image) -> Catalog:
        extras = replace(EXTRAS, keyring=str(self.archive.key.public))
        return a_catalog(*images, distro=a_distro(DEBIAN, extras))

    def hear(self, event: Event) -> None:
        assert isinstance(event, Doing)
        self.said.append(event.message)

    def lock(
        self, catalog: Catalog, previous: Lock | None = None, update: Collection[ImageId] = ()
    ) -> Lock:
        self.said.clear()
        source = Source(store=self.store, mirrors={"extras": self.archive.url})
        return lock_fleet(catalog, previous, update=update, source=source, listener=self.hear)


@pytest.fixture
def room(store: Path, archive: Archive) -> Room:
    return Room(store=store, archive=archive)


@pytest.fixture
def fleet(room: Room) -> Catalog:
    return room.catalog(BASE, CRON, EXTRA, CHILD)


def names(lock: Lock, image: Image) -> list[str]:
    return [unit.name for unit in lock.units_of(lock.by_id()[image.id])]


def test_a_fleet_is_locked_and_nothing_is_looked_at_twice(room: Room, fleet: Catalog) -> None:
    lock = room.lock(fleet)
    base = lock.by_id()[BASE.id]
    assert {"dpkg_", "libc6_", "bash_"} <= {key[: key.index("_") + 1] for key in base.bootstrap}
    assert not [key for key in base.bootstrap if key.startswith(("apt_", "tzdata_"))]
    assert names(lock, BASE)[-1] == "tzdata"
    assert "cron" in names(lock, CRON)
    assert names(lock, EXTRA) == ["tool-data", "tool"]
    assert names(lock, CHILD) == ["only"]
    assert not set(names(lock, CRON)) & set(names(lock, BASE))

    tool = lock.units["tool_1.0_all"]
    file = room.archive.folder / tool.path
    assert (tool.repository, tool.path) == ("extras", "pool/tool_1.0_all.deb")
    assert (tool.size, tool.digest) == (file.stat().st_size, Digest.of(file.read_bytes()))
    assert {index.repository for index in lock.indices} == {"debian", "extras"}
    assert "://" not in lock_text(lock)
    assert str(room.archive.folder) not in lock_text(lock)

    assert lock_text(room.lock(fleet)) == lock_text(lock)

    assert room.lock(fleet, lock) == lock
    assert room.said == []


def test_a_new_image_is_solved_alone_and_over_the_same_index(
    room: Room, fleet: Catalog, moved_on: Callable[[], None]
) -> None:
    lock = room.lock(fleet)
    moved_on()
    late = an_image("late", "base", ["tool"], repositories=["extras"])
    new = room.lock(room.catalog(BASE, CRON, EXTRA, CHILD, late), lock)
    assert room.said == ["preparing the solver's root", "solving late"]
    assert new.indices == lock.indices
    assert "tool_1.0_all" in new.by_id()[late.id].units
    assert new.images[:-1] == lock.images


def test_an_update_moves_what_was_asked_for_and_what_stands_below(
    room: Room, fleet: Catalog, moved_on: Callable[[], None]
) -> None:
    lock = room.lock(fleet)
    assert room.lock(fleet, lock, ALL) == lock
    assert "solving base" not in room.said  # the index has not changed
    moved_on()
    new = room.lock(fleet, lock, [EXTRA.id])
    assert room.said[1:] == ["updating the package indices", "solving extra", "solving child"]
    (group,) = new.by_id()[EXTRA.id].layers
    size = sum(unit.size or 0 for unit in new.units_of(new.by_id()[EXTRA.id]))
    assert str(compare_locks(lock, new)).splitlines() == [
        "tool 1.0 -> 2.0: extra, and 1 image below it",
        "tool-data 1.0 -> 2.0: extra, and 1 image below it",
        f"layer {group} changed, 2 packages, {size_text(size)}: extra",
        f"1 changed layer, {size_text(size)} of packages",
    ]
    assert set(new.indices) > set(lock.indices)
    assert new.by_id()[CRON.id] == lock.by_id()[CRON.id]
    assert len(room.lock(fleet, new, ALL).indices) == len(lock.indices)


def test_what_apt_would_do_to_the_parent_is_refused(
    room: Room, fleet: Catalog, moved_on: Callable[[], None]
) -> None:
    lock = room.lock(fleet)
    moved_on()
    newer = an_image("newer", "extra", ["newer"])
    enemy = an_image("enemy", "base", ["enemy"], repositories=["extras"])
    with pytest.raises(CatalogError) as caught:
        room.lock(room.catalog(BASE, CRON, EXTRA, CHILD, newer, enemy), lock, [newer.id, enemy.id])
    tzdata = lock.units[next(key for key in lock.units if key.startswith("tzdata_"))].version
    faults = caught.value.faults
    assert [(fault.place, fault.message, fault.remedy) for fault in faults] == [
        (
            "infra/enemy.yaml:2",
            f"enemy: apt would remove tzdata {tzdata}, which is part of the parent base "
            "(enemy Conflicts: tzdata)",
            "lamina lock --update base+",
        ),
        (
            "infra/newer.yaml:2",
            "newer: apt would replace tool 1.0 by 2.0, which is part of the parent extra "
            "(newer Depends: tool (>= 2.0))",
            "lamina lock --update extra+",
        ),
        (
            "infra/newer.yaml:2",
            "newer: apt would replace tool-data 1.0 by 2.0, which is part of the parent extra "
            "(tool Depends: tool-data (= 2.0))",
            "lamina lock --update extra+",
        ),
    ]


def test_a_package_that_the_parent_has_already_is_not_updated(
    room: Room, fleet: Catalog, moved_on: Callable[[], None]
) -> None:
    lock = room.lock(fleet)
    moved_on()
    again = an_image("again", "extra", ["tool"])
    new = room.lock(room.catalog(BASE, CRON, EXTRA, CHILD, again), lock, [again.id])
    assert new.by_id()[again.id].units == ()


def test_a_parent_that_no_index_knows_any_more_is_told(
    room: Room, fleet: Catalog, moved_on: Callable[[], None]
) -> None:
    lock = room.lock(fleet)
    moved_on()
    shutil.rmtree(room.store / "roots" / "debian-13-amd64" / "var/lib/lamina/stanzas")
    late = an_image("late", "extra", ["only"])
    with pytest.raises(
        CatalogError, match=r"the indices no longer have tool 1\.0, which is part of"
    ):
        room.lock(room.catalog(BASE, CRON, EXTRA, CHILD, late), lock, [late.id])


def test_every_image_that_cannot_be_solved_says_why(room: Room) -> None:
    def wrong(name: str, *packages: str) -> Image:
        return an_image(name, "base", packages, repositories=["extras"])

    with pytest.raises(CatalogError) as caught:
        room.lock(
            room.catalog(
                BASE,
                wrong("a", "toool", "nothing-like-it"),
                wrong("b", "side"),
                wrong("c", "left", "right"),
                an_image("d", "base", ["tool"]),
                an_image("e", "b", ["cron"]),
            )
        )
    assert [(fault.message, fault.remedy) for fault in caught.value.faults] == [
        (
            "a: no repository has the package nothing-like-it",
            "is it in a repository that the image does not use?",
        ),
        ("a: no repository has the package toool", "did you mean tool?"),
        (
            "b: side is a virtual package that several packages provide",
            "name one of them: left or right",
        ),
        (
            "c: its packages cannot be installed together: left Conflicts: right, "
            "but right 1.0 would be installed",
            "change the image's packages, or its parent",
        ),
        (
            "d: no repository has the package tool",
            "is it in a repository that the image does not use?",
        ),
    ]


def test_a_repository_signed_with_another_key_is_refused(room: Room, fleet: Catalog) -> None:
    with new_key() as other:
        extras = replace(EXTRAS, keyring=str(other.public))
        catalog = replace(fleet, distro=a_distro(DEBIAN, extras))
        with pytest.raises(NetworkError, match="check the repository's keyring") as caught:
            room.lock(catalog)
    assert "is not signed" in str(caught.value)


def test_a_changed_index_is_refused(room: Room, fleet: Catalog) -> None:
    release = room.archive.folder / "dists/stable/InRelease"
    release.write_text(release.read_text().replace("Origin: test", "Origin: evil"))
    with pytest.raises(NetworkError, match="check the repository's keyring"):
        room.lock(fleet)


def test_a_missing_key_is_told(room: Room, fleet: Catalog) -> None:
    extras = replace(EXTRAS, keyring="/srv/missing.asc")
    catalog = replace(fleet, distro=a_distro(DEBIAN, extras))
    with pytest.raises(CatalogError, match="the key of the repository extras is missing"):
        room.lock(catalog)


def test_a_mirror_without_the_suite_is_told(room: Room, fleet: Catalog) -> None:
    shutil.rmtree(room.archive.folder / "dists")
    with pytest.raises(NetworkError, match=r"check \[mirrors\]") as caught:
        room.lock(fleet)
    assert "apt-get update" in caught.value.faults[0].place


def test_a_mirror_that_nobody_serves_is_told_without_its_password(
    room: Room, fleet: Catalog
) -> None:
    source = Source(store=room.store, mirrors={"extras": "http://me:secret@127.0.0.1:9/extras"})
    began = time.monotonic()
    with pytest.raises(NetworkError, match="check the network") as caught:
        lock_fleet(fleet, None, update=(), source=source, listener=room.hear)
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert time.monotonic() - began < 60


def test_a_lock_for_another_distribution_is_left_alone(room: Room, fleet: Catalog) -> None:
    other = Lock(
        distro="debian-12",
        architecture="amd64",
        catalog=Digest.of(b""),
        indices=(),
        units={},
        layers={},
        images=(),
    )
    with pytest.raises(LockError, match="the lock is for debian-12 amd64"):
        room.lock(fleet, other)
