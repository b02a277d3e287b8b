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
from lamina.registry import Access, open_registry
from lamina.store.store import Store

pytestmark = pytest.mark.real

# A mirror that has nothing, and says so at once.
NOWHERE = {f"LAMINA_MIRROR_{name}": "file:///nowhere" for name in ("DEBIAN", "DEBIAN_SECURITY")}
FEW = ("base", "cron", "memcached")
# An image of the fleet changed by a catalogue of one's own, which needs no other lock.
CHANGE = "images:\n  cron: {change: {steps: {append: ['echo mine > /mine']}}}\n"


def images_of(workshop: Workshop) -> Mapping[str, Built]:
    current = Store(workshop.store).read_current(workshop.distro).images
    return {str(image): built for image, built in current.items()}


def publish(workshop: Workshop, there: Registry, folder: Path, *only: str) -> None:
    """Publish images from a folder whose settings name the registry as a cache: all, or some."""
    publisher = Workshop(folder=folder)
    folder.mkdir()
    trust(publisher, there)
    words = ("publish", "--to", f"http://{there.address}/fleet", "--json", *only)
    done = publisher.lamina(*words, environment={"LAMINA_STORE": str(workshop.store)})
    told = json.loads(done.stdout)
    assert told["beside"]["records"] == len(told["images"]) > 0


@pytest.fixture(scope="module")
def there(built: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that has the small fleet."""
    with registry(tmp_path_factory.mktemp("registry")) as there:
        publish(built, there, tmp_path_factory.mktemp("publisher") / "folder")
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


@pytest.fixture
def changed(tmp_path: Path) -> tuple[str, str]:
    """The words that lay a catalogue with a changed image over the default one."""
    folder = tmp_path / "mine/infra"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(CHANGE)
    return "--catalog", str(folder.parent)


def trust(workshop: Workshop, *registries: Registry) -> None:
    caches = [f"http://{one.address}/fleet" for one in registries]
    (workshop.folder / "lamina.toml").write_text(f"caches = {json.dumps(caches)}\n")


def forget_images(store: Path) -> None:
    """Leave of a store what its images were made of, and nothing of them."""
    for name in ("built", "deltas", "layers", "oci"):
        shutil.rmtree(store / name)


def outcomes(workshop: Workshop, *words: str, code: int = 0) -> Mapping[str, str]:
    done = workshop.lamina("build", "--json", *words, code=code, environment=NOWHERE)
    return {image["image"]: image["outcome"] for image in json.loads(done.stdout)["images"]}


def listed(workshop: Workshop) -> Mapping[str, str]:
    return manifests(json.loads(workshop.lamina("list", "--json").stdout))


def test_the_second_store_builds_nothing_and_has_the_same_digests(
    built: Workshop, there: Registry, other: Workshop
) -> None:
    cache = f"{there.address}/fleet"
    planned = json.loads(other.lamina("plan", "--cached", "--json", *SMALL).stdout)["steps"]

    done = other.lamina("build", *SMALL, environment=NOWHERE)

    assert {step["action"] for step in planned} == {"pull"}
    assert {reason for step in planned for reason in step["reasons"]} == {f"in the cache {cache}"}
    _, *rows, end = done.stdout.splitlines()
    assert [f"from the cache {cache}" in row for row in rows] == [True] * len(planned)
    assert end == f"{len(planned)} pulled"
    assert listed(other) == listed(built)
    assert set(outcomes(other, *SMALL).values()) == {"unchanged"}
    assert list((other.store / "downloads").iterdir()) == []


def test_what_was_pulled_serves_all_that_what_was_built_does(
    built: Workshop, workshop: Workshop, there: Registry, changed: tuple[str, str], tmp_path: Path
) -> None:
    # A cache that cannot be reached is noted, and done without.
    (workshop.folder / "lamina.toml").write_text('caches = ["http://127.0.0.1:9/fleet"]\n')
    done = workshop.lamina("build", "cron", *changed, environment=NOWHERE)
    assert "the cache 127.0.0.1:9/fleet cannot be used, and is done without" in done.stderr
    assert "1 built, 1 unchanged" in done.stdout
    mine = images_of(workshop)["cron"].manifest
    forget_images(workshop.store)
    trust(workshop, there)

    assert set(outcomes(workshop, *SMALL).values()) == {"pulled"}

    for words in (("storage", "--json"), ("list", "--json")):
        here, elsewhere = (json.loads(each.lamina(*words).stdout) for each in (workshop, built))
        assert here == elsewhere
    release = workshop.lamina("run", "cron", "--", "cat", "/etc/debian_version").stdout
    assert release == built.lamina("run", "cron", "--", "cat", "/etc/debian_version").stdout
    assert "tested" in workshop.lamina("test", "memcached").stdout
    workshop.lamina("export", "cron", "--to", f"oci:{tmp_path}/oci")
    workshop.lamina("gc")
    assert set(outcomes(workshop, *SMALL, "--verify").values()) == {"unchanged"}
    # Built over what was pulled, an image is what it was over what was built.
    assert outcomes(workshop, "cron", *changed) == {"base": "unchanged", "cron": "built"}
    assert images_of(workshop)["cron"].manifest == mine
    assert "/mine  added" in workshop.lamina("diff", "cron", "--files", *changed).stdout


def test_a_registry_that_is_not_named_is_never_asked(
    there: Registry, other: Workshop, tmp_path: Path
) -> None:
    with registry(tmp_path / "near") as near:
        trust(other, near)
        done = other.lamina("build", "cron", code=4, environment=NOWHERE)

    assert near.address in done.stderr
    assert there.address not in done.stderr
    assert images_of(other) == {}
    trust(other)
    assert "asking" not in other.lamina("build", "cron", code=4, environment=NOWHERE).stderr


def test_without_the_caches_of_the_settings_a_build_asks_nobody(other: Workshop) -> None:
    done = other.lamina("build", "--no-cache", "cron", code=4, environment=NOWHERE)
    assert "asking" not in done.stderr
    assert images_of(other) == {}


def test_a_blob_that_was_tampered_with_is_refused(
    built: Workshop, other: Workshop, tmp_path: Path
) -> None:
    layer = images_of(built)["cron"].layers[-1]
    with registry(tmp_path / "tampered") as tampered:
        publish(built, tampered, tmp_path / "publisher", *FEW)
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
        publish(built, lying, tmp_path / "publisher", *FEW)
        with open_registry(f"http://{lying.address}", Access()) as target:
            target.delete_manifest(
                "fleet/debian-cron",
                target.manifest_digest("fleet/debian-cron", key_tag(cron.key)) or "",
            )
            assert offer_record(target, "fleet/debian-cron", lie)
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
        assert not offer_record(target, repository, cron)
        assert not offer_record(target, repository, replace(cron, seconds=99.0))
        target.delete_manifest(
            repository, target.manifest_digest(repository, key_tag(cron.key)) or ""
        )
        assert offer_record(target, repository, untested)
        assert offer_record(target, repository, cron)
