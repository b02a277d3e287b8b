"""Artifacts of a lock: pinned by the catalogue or on first sight, kept, and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.artifacts.releases import exporter, line, packed
from tests.backends.packages import file
from tests.fetch.mirror import Mirror, running_mirror, status, whole
from tests.lock.fleets import FakeSolver, a_catalog, an_image, an_index, locked

from lamina.lock import (
    Source,
    catalog_digest,
    check_lock,
    compare_locks,
    lock_fleet,
    lock_text,
    make_lock,
    needed,
    new_sights,
    read_lock,
    unpinned_images,
)
from lamina.lock.artifacts import Sight, choose_artifacts, unseen
from lamina.lock.solving import solve_images
from lamina.model.artifact import Artifact, Recipe
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import Downloaded, Event, Note
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock
from lamina.store.store import Store

RELEASE = packed(exporter(), ".tar.gz")
TAKEN = line("memcached_exporter-0.15.5.linux-amd64/memcached_exporter", "/usr/bin/exporter")


def an_artifact(
    name: str = "exporter",
    version: str = "0.15.5",
    *,
    path: str = "",
    content: bytes | None = None,
    size: int | None = None,
) -> Artifact:
    """Return an artifact; with a digest if its content is told."""
    return Artifact(
        name=name,
        version=version,
        architecture="amd64",
        source="releases",
        path=path or f"{name}/v{version}/{name}.tar.gz",
        digest=Digest.of(content) if content is not None else None,
        size=size,
        recipe=Recipe(install=(TAKEN,)),
    )


def with_artifacts(image: Image, *artifacts: Artifact) -> Image:
    return replace(image, artifacts=artifacts)


BASE = an_image("base", None, ["libc6"])
SEEN = with_artifacts(an_image("seen", "base"), an_artifact())
KNOWN = with_artifacts(an_image("known", "base"), an_artifact("known", content=b"known"))
CHILD = an_image("child", "seen", ["cron"])
FLEET = a_catalog(BASE, SEEN, KNOWN, CHILD)
KEY = "artifact:exporter_0.15.5_amd64"


@dataclass
class Room:
    """The lock room with a place of releases; what it says is kept."""

    store: Store
    mirror: Mirror
    mirrors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    arrived: int = 0  # bytes of downloads

    def lock(self, catalog: Catalog, previous: Lock | None = None) -> Lock:
        """Lock a catalogue whose packages are chosen already."""
        self.notes.clear()
        catalog = replace(catalog, sources={"releases": f"{self.mirror.url}/releases"})
        source = Source(store=self.store.root, mirrors=self.mirrors)
        before = previous or locked(without_artifacts(catalog))
        return lock_fleet(catalog, before, update=(), source=source, listener=self._hear)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.message)
        if isinstance(event, Downloaded):
            self.arrived = event.done

    def downloads(self) -> list[str]:
        return sorted(path.name for path in self.store.downloads.iterdir())


def without_artifacts(catalog: Catalog) -> Catalog:
    return replace(catalog, images=tuple(replace(i, artifacts=()) for i in catalog.images))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with running_mirror() as mirror:
        mirror.answers["/releases/exporter/v0.15.5/exporter.tar.gz"] = lambda h, _: whole(
            h, RELEASE
        )
        yield Room(store=Store.open(tmp_path / "store"), mirror=mirror)


def test_a_digest_of_the_catalogue_needs_no_network(room: Room) -> None:
    lock = room.lock(a_catalog(BASE, KNOWN))
    (unit,) = lock.units_of(lock.by_id()[KNOWN.id])
    assert (unit.digest, unit.pinned, unit.size) == (Digest.of(b"known"), "catalogue", None)
    assert (unit.repository, unit.path) == ("releases", "known/v0.15.5/known.tar.gz")
    assert unit.recipe == Recipe(install=(TAKEN,))
    assert room.mirror.requests == []
    assert room.notes == []


def test_an_artifact_without_one_is_pinned_as_it_is_seen_first(room: Room) -> None:
    lock = room.lock(FLEET)
    unit = lock.units[KEY]
    assert (unit.digest, unit.size) == (Digest.of(RELEASE), len(RELEASE))
    assert unit.pinned == "first sight"
    assert room.arrived == len(RELEASE)
    assert room.store.download_path(unit.digest).read_bytes() == RELEASE
    assert new_sights(None, lock) == (unit,)
    assert new_sights(lock, lock) == ()
    assert unpinned_images(lock) == {}
    assert "http" not in lock_text(lock)


def test_what_was_seen_once_is_not_looked_at_again(room: Room) -> None:
    lock = room.lock(FLEET)
    again = room.lock(FLEET, lock)
    assert again == lock
    assert len(room.mirror.requests) == 1
    # Not even for newer packages: a publisher who exchanges a release is found out.
    solved = solve_images(FLEET, lock, [i.id for i in FLEET.images], FakeSolver().solve)
    updated = make_lock(FLEET, solved, [an_index(2)], previous=lock)
    assert updated.units[KEY] == lock.units[KEY]


def test_an_artifact_that_cannot_be_had_is_left_out_and_noted(room: Room) -> None:
    path = "/releases/exporter/v0.15.5/exporter.tar.gz"
    room.mirror.answers[path] = lambda h, _: status(h, 404)
    lock = room.lock(FLEET)
    assert lock.by_id()[SEEN.id].unpinned == (KEY,)
    assert lock.by_id()[SEEN.id].artifacts == ()
    assert KEY not in lock.units
    assert lock.by_id()[KNOWN.id].artifacts == ("artifact:known_0.15.5_amd64",)
    assert room.notes == [
        f"{room.mirror.url}{path}: artifact exporter 0.15.5 is not pinned: "
        "the mirror answered 404 Not Found\n"
        '  set [mirrors] releases = "..." in lamina.toml to an address or folder that has '
        "exporter/v0.15.5/exporter.tar.gz"
    ]
    assert unpinned_images(lock) == {KEY: (SEEN.id,)}
    # It fits the catalogue, so that all else can be built.
    assert check_lock(FLEET, lock) == ()
    assert room.downloads() == []
    room.mirror.answers[path] = lambda h, _: whole(h, RELEASE)
    pinned = room.lock(FLEET, lock)
    assert room.notes == []
    assert pinned.by_id()[SEEN.id].artifacts == (KEY,)
    assert unpinned_images(pinned) == {}
    assert new_sights(lock, pinned) == (pinned.units[KEY],)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"<!DOCTYPE html>", "it cannot be decompressed", id="a page"),
        pytest.param(RELEASE[:-9], "it cannot be decompressed", id="half of it"),
        pytest.param(packed([file("../x")], ".tar.gz"), "'../x': a path leads out", id="harm"),
    ],
)
def test_what_is_no_archive_is_not_pinned(room: Room, content: bytes, why: str) -> None:
    room.mirror.answers["/releases/exporter/v0.15.5/exporter.tar.gz"] = lambda h, _: whole(
        h, content
    )
    lock = room.lock(FLEET)
    assert lock.by_id()[SEEN.id].unpinned == (KEY,)
    assert f"is not pinned: it is refused: {why}" in room.notes[0]
    assert room.downloads() == []


def test_a_mirror_takes_the_place_of_the_catalogues_address(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "my releases"
    (folder / "exporter/v0.15.5").mkdir(parents=True)
    (folder / "exporter/v0.15.5/exporter.tar.gz").write_bytes(RELEASE)
    for address in (str(folder), folder.as_uri()):
        room.mirrors["releases"] = address
        assert room.lock(FLEET).units[KEY].digest == Digest.of(RELEASE)
    assert room.mirror.requests == []


def test_a_place_out_of_reach_is_told_once_for_all_its_artifacts(room: Room) -> None:
    room.mirrors["releases"] = "http://127.0.0.1:9/releases"
    both = [an_artifact(name) for name in ("one", "two")]
    room.lock(a_catalog(BASE, with_artifacts(an_image("seen", "base"), *both)))
    (note,) = room.notes
    assert note.startswith("http://127.0.0.1:9/releases/one/v0.15.5/one.tar.gz: artifact one")
    assert "; likewise two 0.15.5\n" in note


def test_a_mirrors_password_is_not_told(room: Room) -> None:
    room.mirrors["releases"] = "http://me:secret@127.0.0.1:9/releases"
    room.lock(FLEET)
    assert "http://127.0.0.1:9/releases/exporter" in room.notes[0]
    assert "secret" not in room.notes[0]


def seen(lock: Lock | None, artifact: Artifact, sights: Mapping[str, Sight]) -> str:
    """Return where an artifact's digest comes from in the next lock."""
    image = with_artifacts(an_image("seen", "base"), artifact)
    chosen = choose_artifacts(image, lock, sights)
    if not chosen.pinned:
        return "nowhere"
    (unit,) = chosen.pinned
    return f"{unit.pinned} {unit.digest.short} {unit.size}"


def test_a_pin_stays_until_the_catalogue_tells_a_digest_or_means_another_file() -> None:
    here = {KEY: Sight(digest=Digest.of(b"first"), size=5)}
    catalog = a_catalog(BASE, SEEN)
    solved = solve_images(catalog, None, [BASE.id, SEEN.id], FakeSolver().solve)
    lock = make_lock(catalog, solved, [an_index()], sights=here)
    pin = f"first sight {Digest.of(b'first').short} 5"
    assert seen(lock, an_artifact(), {}) == pin
    elsewhere = replace(an_artifact(), source="mirror")
    assert seen(lock, elsewhere, {}) == pin
    other_recipe = replace(an_artifact(), recipe=Recipe(install=(line("x", "/y"),)))
    assert seen(lock, other_recipe, {}) == pin
    assert seen(lock, an_artifact(path="exporter/other.tar.gz"), {}) == "nowhere"
    assert seen(lock, an_artifact(version="0.16"), {}) == "nowhere"
    told = f"catalogue {Digest.of(b'told').short} 4"
    assert seen(lock, an_artifact(content=b"told", size=4), {}) == told
    # A digest that the catalogue no longer tells is no pin of the lock's own.
    told_lock = replace(lock, units={KEY: replace(lock.units[KEY], pinned="catalogue")})
    assert seen(told_lock, an_artifact(), {}) == "nowhere"


def test_only_what_nothing_pins_is_looked_at(room: Room) -> None:
    assert [str(artifact) for artifact in unseen(FLEET, None)] == ["exporter 0.15.5"]
    assert unseen(FLEET, room.lock(FLEET)) == ()
    nowhere = a_catalog(BASE, replace(SEEN, unbuildable="not here"))
    assert unseen(nowhere, None) == ()


CHANGES = {
    "another version": (an_artifact(version="0.16", content=b"x"), (
        "seen: artifact exporter 0.15.5 removed, artifact exporter 0.16 added",
    )),
    "a digest": (an_artifact(content=b"x"), ("seen: artifact exporter 0.15.5 changed",)),
    "another recipe": (
        replace(an_artifact(), recipe=Recipe(install=(line("x", "/y"),))),
        ("seen: artifact exporter 0.15.5 changed",),
    ),
    "another file, not seen yet": (
        an_artifact(path="exporter/other.tar.gz"),
        ("seen: artifact exporter 0.15.5 changed",),
    ),
    "another place": (
        replace(an_artifact(), source="mirror"),
        ("seen: artifact exporter 0.15.5 changed",),
    ),
    "nothing": (an_artifact(), ()),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_how_a_lock_disagrees_about_artifacts_is_told(case: str, room: Room) -> None:
    artifact, differences = CHANGES[case]
    lock = room.lock(a_catalog(BASE, SEEN))
    changed = a_catalog(BASE, with_artifacts(an_image("seen", "base"), artifact))
    assert check_lock(changed, lock) == differences
    # Whatever it is, no package is solved again.
    assert needed(changed, lock, []) == ()
    assert (catalog_digest(changed) == lock.catalog) == (not differences)


def test_a_digest_that_comes_later_is_a_change_too(room: Room) -> None:
    room.mirror.answers["/releases/exporter/v0.15.5/exporter.tar.gz"] = lambda h, _: status(h, 404)
    lock = room.lock(a_catalog(BASE, SEEN))
    told = with_artifacts(an_image("seen", "base"), an_artifact(content=b"x"))
    assert check_lock(a_catalog(BASE, told), lock) == ("seen: artifact exporter 0.15.5 changed",)
    gone = a_catalog(BASE, an_image("seen", "base"))
    assert check_lock(gone, lock) == ("seen: artifact exporter 0.15.5 removed",)


def test_a_lock_without_artifacts_has_the_digest_that_it_had_before_there_were_any() -> None:
    plain = a_catalog(BASE)
    assert locked(plain).catalog == catalog_digest(plain)
    assert catalog_digest(a_catalog(BASE, SEEN)) != catalog_digest(
        a_catalog(BASE, an_image("seen", "base"))
    )


def test_what_moved_is_told_as_of_packages(room: Room) -> None:
    old = room.lock(a_catalog(BASE, SEEN, CHILD))
    newer = with_artifacts(an_image("seen", "base"), an_artifact(version="0.16", content=b"x"))
    new = room.lock(a_catalog(BASE, newer, CHILD), old)
    (group,) = new.by_id()[SEEN.id].layers
    assert group == old.by_id()[SEEN.id].layers[0]
    assert str(compare_locks(old, new)).splitlines() == [
        "artifact:exporter 0.15.5 -> 0.16: seen, and 1 image below it",
        f"layer {group} changed, 1 package, size not known: seen",
        "1 changed layer, at least 0 B of packages",
    ]


def test_a_recipe_makes_another_unit_of_the_same_file(room: Room) -> None:
    old = room.lock(a_catalog(BASE, SEEN))
    other = replace(an_artifact(), recipe=Recipe(install=(TAKEN, line("x", "/y"))))
    new = room.lock(a_catalog(BASE, with_artifacts(an_image("seen", "base"), other)), old)
    assert new.units[KEY].digest == old.units[KEY].digest
    assert new.units[KEY].identity != old.units[KEY].identity
    assert "artifact:exporter 0.15.5, another file: seen" in str(compare_locks(old, new))
    moved = replace(old.units[KEY], pinned="catalogue", repository="mirror", path="x", size=None)
    assert moved.identity == old.units[KEY].identity


def test_images_share_the_layer_of_an_artifact(room: Room) -> None:
    one = an_artifact(content=b"x")
    images = [with_artifacts(an_image(f"i{n}", "base"), one) for n in range(3)]
    lock = room.lock(a_catalog(BASE, *images))
    layers = {lock.by_id()[image.id].layers for image in images}
    assert len(layers) == 1
    ((layer,),) = layers
    assert lock.layers[layer] == ("artifact:exporter",)


def test_a_lock_file_gives_back_what_was_written(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "lamina.lock.json"
    special = replace(
        an_artifact("special", content=b"x", size=5),
        architecture="all",
        recipe=Recipe(
            install=(
                line("a/", "/opt/a/", None, "x", "y/*", uid=42423),
                line("", "/usr/bin/x", 0o4750),
                line("./", "/opt/all/"),
            ),
            date=1_700_000_000,
        ),
    )
    room.mirror.answers["/releases/lost/v0.15.5/lost.tar.gz"] = lambda h, _: status(h, 404)
    images = [SEEN, with_artifacts(an_image("other", "base"), special, an_artifact("lost"))]
    lock = room.lock(a_catalog(BASE, *images))
    path.write_text(lock_text(lock))
    assert read_lock(path) == lock
    assert lock.by_id()[ImageId("other")].unpinned == ("artifact:lost_0.15.5_amd64",)


def test_a_lock_of_the_format_before_is_one_without_artifacts(tmp_path: Path) -> None:
    lock = locked(a_catalog(BASE))
    path = tmp_path / "lamina.lock.json"
    text = lock_text(lock)
    assert '"format": 3' in text
    path.write_text(text.replace('"format": 3', '"format": 2').replace(' "artifacts": [],\n', ""))
    assert '"artifacts"' not in path.read_text()
    assert read_lock(path) == lock
