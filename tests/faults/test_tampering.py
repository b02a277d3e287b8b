"""One flipped byte anywhere in the store: found before use, told, and healed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.faults.bench import Bench, flip_a_byte, own_layers
from tests.fetch.mirror import Mirror

from lamina.model.digest import Digest

pytestmark = pytest.mark.real

Manifests = Mapping[str, Digest]
CRON = ("run", "cron", "--", "sha256sum", "/usr/sbin/cron")


def test_a_package_is_fetched_again(bench: Bench, mirror: Mirror, manifests: Manifests) -> None:
    package = bench.package("cron", "cron")
    bench.forget("cron")
    whole = package.read_bytes()
    flip_a_byte(package)
    told = bench.lamina("build", "cron")
    assert "package cron_" in told.err
    assert "was changed in the store: it is fetched again" in told.err
    assert [path.rpartition("/")[2].partition("_")[0] for path, _ in mirror.requests] == ["cron"]
    assert package.read_bytes() == whole
    bench.assert_whole(manifests)


def test_units_are_made_again(bench: Bench, manifests: Manifests) -> None:
    before = bench.lamina(*CRON)
    changed = [
        ("cron", "tree/usr/sbin/cron"),
        ("cron-daemon-common", "husk.deb"),
        ("sensible-utils", "unit.json"),
    ]
    paths = [bench.store.unit_path(bench.unit("cron", unit)) / file for unit, file in changed]
    contents = [path.read_bytes() for path in paths]
    for path in paths:
        flip_a_byte(path)
    told = bench.lamina(*CRON)
    assert told.err.startswith("units cron-daemon-common_")
    assert ", cron_" in told.err
    assert ", sensible-utils_" in told.err
    assert told.err.endswith(" were changed in the store: they are made again\n")
    assert told.out == before.out
    assert [path.read_bytes() for path in paths] == contents
    bench.assert_whole(manifests)


def test_units_are_made_again_by_a_build_that_tells_it_once(
    bench: Bench, manifests: Manifests
) -> None:
    units = [bench.unit("cron", unit.name) for unit in bench.built()["cron"].units]
    bench.store.discard(bench.store.records.path(bench.built()["cron"].key))
    for unit in units:
        flip_a_byte(bench.store.unit_path(unit) / "unit.json")
    told = bench.lamina("build", "cron")
    assert told.err.count("changed in the store") == 1
    assert f"and {len(units) - 3} more were changed in the store" in told.err
    bench.assert_whole(manifests)


BLOBS: dict[str, Callable[[Bench], Digest]] = {
    "layer of units": lambda bench: own_layers(bench.built()["redis-base"])[0].digest,
    "layer of a delta": lambda bench: own_layers(bench.built()["redis-base"])[-1].digest,
    "configuration": lambda bench: bench.built()["redis-base"].config,
    "manifest": lambda bench: bench.built()["redis-base"].manifest,
}


@pytest.mark.parametrize("blob", BLOBS.values(), ids=BLOBS)
def test_a_blob_is_found_by_an_export_and_its_image_built_again(
    bench: Bench, manifests: Manifests, blob: Callable[[Bench], Digest], tmp_path: Path
) -> None:
    digest = blob(bench)
    flip_a_byte(bench.store.layout.blob_path(digest))
    told = bench.lamina("export", "redis-base", "--to", f"oci:{tmp_path / 'layout'}")
    assert f"blob {digest} is damaged" in told.err
    assert "redis-base: built" in told.err
    assert (tmp_path / "layout/blobs/sha256" / digest.hex).is_file()
    bench.assert_whole(manifests)


def test_blobs_are_found_by_a_build_that_verifies(bench: Bench, manifests: Manifests) -> None:
    digests = [blob(bench) for blob in BLOBS.values()]
    for digest in digests:
        flip_a_byte(bench.store.layout.blob_path(digest))
    # What children stand on are units and deltas: of a blob they need the digest alone.
    assert bench.lamina("build", "redis", "--json").outcomes()["redis"] == "unchanged"
    told = bench.lamina("build", "redis", "--verify")
    assert [told.err.count(f"blob {digest} is damaged") for digest in digests] == [1] * len(BLOBS)
    assert "redis-base: built" in told.err
    assert "redis: built" not in told.err
    bench.assert_whole(manifests)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('"manifests"', "build"),
        ('"org.lamina.key"', "run"),
        (":latest", "export"),
        ("schemaVersion", "export"),
    ],
)
def test_the_index_is_taken_from_its_copy(
    bench: Bench, manifests: Manifests, text: str, command: str, tmp_path: Path
) -> None:
    index = bench.root / "oci" / "index.json"
    whole = index.read_bytes()
    place = whole.index(text.encode()) + 2
    index.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    words = {
        "build": ("build", "cron"),
        "run": ("run", "cron", "--", "true"),
        "export": ("export", "cron", "--to", f"oci:{tmp_path / 'layout'}"),
    }
    told = bench.lamina(*words[command])
    assert f"{index}: the index was damaged" in told.err
    assert index.read_bytes() == whole
    assert bench.manifests() == manifests


DELTA_USERS = {
    "run": ("run", "redis", "--", "true"),
    "test": ("test", "redis"),
    "build --verify": ("build", "redis", "--verify"),
}


@pytest.mark.parametrize("words", DELTA_USERS.values(), ids=DELTA_USERS)
def test_the_image_of_a_delta_is_built_again_before_it_is_mounted(
    bench: Bench, manifests: Manifests, words: tuple[str, ...]
) -> None:
    status = bench.store.delta_path(manifests["redis-base"]) / "var/lib/dpkg/status"
    whole = status.read_bytes()
    flip_a_byte(status)
    told = bench.lamina(*words)
    assert "the delta of redis-base was changed in the store" in told.err
    assert status.read_bytes() == whole
    bench.assert_whole(manifests)


def test_a_delta_is_made_again_before_a_child_is_built_over_it(
    bench: Bench, manifests: Manifests
) -> None:
    bench.forget("redis")
    flip_a_byte(bench.store.delta_path(manifests["redis-base"]) / "var/lib/dpkg/status")
    told = bench.lamina("build", "redis")
    assert "the delta of redis-base was changed in the store: redis-base is built again" in told.err
    bench.assert_whole(manifests)


@pytest.mark.parametrize("command", ["build", "run", "export"])
def test_the_image_of_a_record_is_built_again(
    bench: Bench, manifests: Manifests, command: str, tmp_path: Path
) -> None:
    flip_a_byte(bench.store.records.path(bench.built()["redis-base"].key))
    words = {
        "build": ("build", "redis-base"),
        "run": ("run", "redis", "--", "true"),
        "export": ("export", "redis-base", "--to", f"oci:{tmp_path / 'layout'}"),
    }
    told = bench.lamina(*words[command])
    assert "the record of the image is damaged" in told.err
    assert "redis-base is built again" in told.err
    bench.assert_whole(manifests)


def test_a_seal_alone_costs_no_more_than_what_it_seals(bench: Bench, manifests: Manifests) -> None:
    flip_a_byte(bench.store.units / f"{bench.unit('cron', 'cron').hex}.seal")
    told = bench.lamina(*CRON)
    assert "was changed in the store: it is made again" in told.err
    bench.assert_whole(manifests)
