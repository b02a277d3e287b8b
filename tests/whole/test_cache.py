"""Two machines and a registry between them: what one has built, the other does not build."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import SMALL, Workshop
from tests.whole.conftest import manifests
from tests.whole.registry import Registry, registry

from lamina.cache import key_tag, offer_record
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.oci.descriptor import MANIFEST_TYPE
from lamina.registry import Access, Manifest, open_registry
from lamina.store.store import Store

pytestmark = pytest.mark.real

NOWHERE = {
    f"LAMINA_MIRROR_{name}": "http://127.0.0.1:9/nowhere" for name in ("DEBIAN", "DEBIAN_SECURITY")
}


def images_of(workshop: Workshop) -> Mapping[str, Built]:
    current = Store(workshop.store).read_current(workshop.distro).images
    return {str(image): built for image, built in current.items()}


def publish(workshop: Workshop, there: Registry, work: Path) -> None:
    """Put every image with its record into the registry."""
    layout = Store(workshop.store).layout
    with open_registry(f"http://{there.address}", Access()) as target:
        for name, built in images_of(workshop).items():
            repository = f"fleet/debian-{name}"
            for digest in (built.config, *(layer.digest for layer in built.layers)):
                path = layout.blob_path(digest)
                target.push_blob(repository, digest, path, path.stat().st_size)
            manifest = Manifest(content=layout.read_blob(built.manifest), media_type=MANIFEST_TYPE)
            target.put_manifest(repository, "latest", manifest)
            assert offer_record(target, repository, built, work)


@pytest.fixture(scope="module")
def there(built: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that has the small fleet."""
    with registry(tmp_path_factory.mktemp("registry")) as there:
        publish(built, there, tmp_path_factory.mktemp("work"))
        yield there


@pytest.fixture
def other(built: Workshop, there: Registry, tmp_path: Path) -> Iterator[Workshop]:
    """Another machine with the same lock, which trusts the registry and reaches nothing else."""
    other = Workshop(folder=tmp_path / "other")
    other.folder.mkdir()
    shutil.copy(built.lock, other.lock)
    trust(other, there)
    yield other
    shutil.rmtree(other.folder)


def trust(workshop: Workshop, *registries: Registry) -> None:
    caches = [f"http://{one.address}/fleet" for one in registries]
    (workshop.folder / "lamina.toml").write_text(f"caches = {json.dumps(caches)}\n")


def outcomes(workshop: Workshop, *words: str, code: int = 0) -> Mapping[str, str]:
    done = workshop.lamina("build", "--json", *words, code=code, environment=NOWHERE)
    return {image["image"]: image["outcome"] for image in json.loads(done.stdout)["images"]}


def listed(workshop: Workshop) -> Mapping[str, str]:
    return manifests(json.loads(workshop.lamina("list", "--json").stdout))


def test_the_second_store_builds_nothing_and_has_the_same_digests(
    built: Workshop, there: Registry, other: Workshop
) -> None:
    cache = f"http://{there.address}/fleet"
    planned = json.loads(other.lamina("plan", "--cached", "--json", *SMALL).stdout)["steps"]

    done = other.lamina("build", *SMALL, environment=NOWHERE)

    assert {step["action"] for step in planned} == {"pull"}
    assert {reason for step in planned for reason in step["reasons"]} == {f"in the cache {cache}"}
    assert f"{len(planned)} pulled" in done.stdout.splitlines()
    assert all(
        f"from the cache {cache}" in line for line in done.stdout.splitlines()[1 : len(planned) + 1]
    )
    assert listed(other) == listed(built)
    assert set(outcomes(other, *SMALL)) == {step["image"] for step in planned}
    assert set(outcomes(other, *SMALL).values()) == {"unchanged"}
    assert list((other.store / "downloads").iterdir()) == []


def test_what_was_pulled_serves_all_that_what_was_built_does(
    built: Workshop, other: Workshop, tmp_path: Path
) -> None:
    outcomes(other, *SMALL)
    # Packages are fetched when something is mounted, and not before.
    (other.store / "downloads").rmdir()
    shutil.copytree(built.store / "downloads", other.store / "downloads")

    assert other.lamina("run", "cron", "--", "cat", "/etc/debian_version").stdout.startswith("13")
    assert "tested" in other.lamina("test", "memcached").stdout
    for words in (("storage", "--json"), ("list", "--json")):
        mine, theirs = (json.loads(each.lamina(*words).stdout) for each in (other, built))
        assert mine == theirs
    assert other.lamina("export", "cron", "--to", f"oci:{tmp_path}/oci").stdout
    other.lamina("gc")
    assert set(outcomes(other, *SMALL, "--verify").values()) == {"unchanged"}


def test_an_image_is_built_over_one_that_was_pulled(
    built: Workshop, other: Workshop, tmp_path: Path
) -> None:
    mine = tmp_path / "mine/infra"
    mine.mkdir(parents=True)
    (mine / "own.yaml").write_text("images:\n  own-cron: {parent: cron, steps: [echo 1 > /own]}\n")
    words = ("--catalog", str(mine.parent))
    other.lamina("lock", *words)
    (other.store / "downloads").rmdir()
    shutil.copytree(built.store / "downloads", other.store / "downloads")

    done = outcomes(other, "own-cron", *words)

    assert done == {"base": "pulled", "cron": "pulled", "own-cron": "built"}
    again = Workshop(folder=tmp_path / "again")
    again.folder.mkdir()
    shutil.copy(other.lock, again.lock)
    again.store.mkdir()
    shutil.copy(built.store / "format", again.store / "format")
    shutil.copytree(built.store / "downloads", again.store / "downloads")
    assert outcomes(again, "own-cron", *words)["cron"] == "built"
    assert images_of(again)["own-cron"].manifest == images_of(other)["own-cron"].manifest


def test_a_registry_that_is_not_named_is_never_asked(
    there: Registry, other: Workshop, tmp_path: Path
) -> None:
    with registry(tmp_path / "near") as near:
        trust(other, near)
        done = other.lamina("build", "cron", code=None, environment=NOWHERE)

        assert done.returncode == 4  # nothing can be fetched, and nobody else was asked
        assert "pulled" not in done.stdout
    trust(other)
    assert "asking" not in other.lamina("build", "cron", code=4, environment=NOWHERE).stderr


def test_without_the_cache_of_the_settings_a_build_asks_nobody(other: Workshop) -> None:
    done = other.lamina("build", "--no-cache", "cron", code=4, environment=NOWHERE)
    assert "asking" not in done.stderr


def test_a_cache_that_cannot_be_reached_is_noted_and_done_without(
    built: Workshop, other: Workshop
) -> None:
    (other.folder / "lamina.toml").write_text('caches = ["http://127.0.0.1:9/fleet"]\n')
    other.store.mkdir()
    shutil.copy(built.store / "format", other.store / "format")
    shutil.copytree(built.store / "downloads", other.store / "downloads")

    done = other.lamina("build", "cron", environment=NOWHERE)

    assert "the cache http://127.0.0.1:9/fleet cannot be used, and is done without" in done.stderr
    assert "2 built" in done.stdout
    assert listed(other)["cron"] == listed(built)["cron"]


def test_a_blob_that_was_tampered_with_is_refused(
    built: Workshop, other: Workshop, tmp_path: Path
) -> None:
    layer = images_of(built)["cron"].layers[-1]
    with registry(tmp_path / "tampered") as tampered:
        publish(built, tampered, tmp_path)
        hex_ = layer.digest.hex
        data = tampered.folder / f"data/docker/registry/v2/blobs/sha256/{hex_[:2]}/{hex_}/data"
        data.write_bytes(data.read_bytes()[:-1] + b"x")
        trust(other, tampered)

        done = other.lamina("build", "cron", "memcached", code=4, environment=NOWHERE)

    assert "cron: not taken from the cache" in done.stderr
    assert set(images_of(other)) == {"base", "memcached"}


def test_a_record_that_lies_is_refused(built: Workshop, other: Workshop, tmp_path: Path) -> None:
    cron = images_of(built)["cron"]
    lie = replace(cron, manifest=Digest.of(b"another image"))
    with registry(tmp_path / "lying") as lying:
        publish(built, lying, tmp_path)
        with open_registry(f"http://{lying.address}", Access()) as target:
            target.delete_manifest(
                "fleet/debian-cron",
                target.manifest_digest("fleet/debian-cron", key_tag(cron.key)) or "",
            )
            assert offer_record(target, "fleet/debian-cron", lie, tmp_path)
        trust(other, lying)

        done = other.lamina("build", "cron", "memcached", code=4, environment=NOWHERE)

    assert "its manifest is not that of an image with this key" in done.stderr
    assert set(images_of(other)) == {"base", "memcached"}


def test_a_record_stays_where_it_is_unless_it_gains_tests(
    built: Workshop, there: Registry, tmp_path: Path
) -> None:
    cron = images_of(built)["cron"]
    untested = replace(cron, tested=None)
    with open_registry(f"http://{there.address}", Access()) as target:
        repository = "fleet/debian-cron"
        assert not offer_record(target, repository, cron, tmp_path)
        assert not offer_record(target, repository, replace(cron, seconds=99.0), tmp_path)
        target.delete_manifest(
            repository, target.manifest_digest(repository, key_tag(cron.key)) or ""
        )
        assert offer_record(target, repository, untested, tmp_path)
        assert offer_record(target, repository, cron, tmp_path)
