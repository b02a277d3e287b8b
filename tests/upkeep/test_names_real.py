"""Old names in a real registry: told of, listed, and removed without harm to anything else."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.conftest import Workshop
from tests.upkeep.stores import a_store
from tests.whole.registry import Registry, registry

from lamina.catalog import default_folder, load_catalog
from lamina.cli import main
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.oci.artifact import Artifact
from lamina.oci.descriptor import INDEX_TYPE, MANIFEST_TYPE
from lamina.pipeline.beside import tell_successors
from lamina.pipeline.successors import names_of
from lamina.registry import Access, Manifest, open_registry
from lamina.registry.artifacts import put_artifact
from lamina.registry.client import Registry as Client

pytestmark = pytest.mark.real

IMAGE = "application/x.image"
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
NEXT_YEAR = YESTERDAY + timedelta(days=365)
CATALOG = load_catalog([default_folder()], "debian-13")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as there:
        yield there


@pytest.fixture
def place(there: Registry, request: pytest.FixtureRequest) -> Namespace:
    """A namespace of the test's own."""
    name = request.node.name.partition("[")[0].replace("_", "-")
    return Namespace(host=there.address, path=name, clear=True)


@pytest.fixture
def client(there: Registry) -> Iterator[Client]:
    with open_registry(f"http://{there.address}", Access()) as client:
        yield client


def put(client: Client, place: Namespace, text: str, *names: str) -> Digest:
    """Publish one manifest, a stand-in for an image, under several names; return its digest."""
    artifact = Artifact(type=IMAGE, content=text.encode())
    for name in names:
        repository, _, tag = name.partition(":")
        put_artifact(client, place.repository(repository), tag, artifact)
    return Digest.of(artifact.manifest())


def tell(client: Client, place: Namespace, image: str, until: date) -> int:
    names = names_of(CATALOG, [ImageId(image)], (Scheme.SPLIT, Scheme.LEGACY), tag="latest")
    have = [n for n in names if client.tags(place.repository(n.repository))]
    return tell_successors(client, place, have, until)


def lamina(folder: Path, place: Namespace, *words: str, code: int = 0) -> Any:
    into = ("--in", f"http://{place}", "--store", str(folder / "store"))
    ran = CliRunner().invoke(main, ("names", "--json", *into, *words), catch_exceptions=False)
    assert ran.exit_code == code, ran.stderr
    return json.loads(ran.stdout)


def states(listed: Mapping[str, Any]) -> Mapping[str, str]:
    return {one["name"]: one["state"] for one in listed["names"] if one["state"] != "not published"}


def test_old_names_are_told_with_their_successors_and_days(
    client: Client, place: Namespace, tmp_path: Path
) -> None:
    digest = put(client, place, "cron", "debian-cron:latest", "debian-binary-cron:latest")
    put(client, place, "redis", "debian-redis:latest", "debian-source-redis:latest")

    assert tell(client, place, "cron", NEXT_YEAR) == 1
    listed = lamina(tmp_path, place, "cron", "redis")

    assert states(listed) == {
        "debian-binary-cron:latest": "kept",
        "debian-source-redis:latest": "without notice",
    }
    assert listed["names"][0] == {
        "name": "debian-binary-cron:latest",
        "successor": "debian-cron:latest",
        "image": "cron",
        "state": "kept",
        "until": NEXT_YEAR.isoformat(),
        "manifest": str(digest),
    }


def test_telling_changes_no_manifest_and_is_not_sent_again(
    client: Client, place: Namespace
) -> None:
    names = ("debian-cron:latest", "debian-binary-cron:latest", "debian-source-cron:latest")
    digest = put(client, place, "cron", *names)

    assert tell(client, place, "cron", NEXT_YEAR) == 2
    assert tell(client, place, "cron", NEXT_YEAR) == 0
    assert tell(client, place, "cron", YESTERDAY) == 2  # another day is told

    for name in names:
        repository, _, tag = name.partition(":")
        assert client.manifest_digest(place.repository(repository), tag) == digest


def test_expired_names_are_listed_and_nothing_is_deleted_unless_that_is_asked_for(
    there: Registry, client: Client, place: Namespace, tmp_path: Path
) -> None:
    put(client, place, "cron", "debian-cron:latest", "debian-binary-cron:latest")
    put(client, place, "redis", "debian-redis:latest", "debian-binary-redis:latest")
    tell(client, place, "cron", YESTERDAY)
    tell(client, place, "redis", NEXT_YEAR)
    before = there.tags()

    listed = lamina(tmp_path, place, "--expired", "cron", "redis")

    assert states(listed) == {"debian-binary-cron:latest": "expired"}
    assert listed["removed"] is False
    assert there.tags() == before

    lamina(tmp_path, place, "--expired", "--remove", "cron", "redis")

    assert client.tags(place.repository("debian-binary-cron")) == ()
    assert client.tags(place.repository("debian-cron")) == ("latest",)
    assert "latest" in client.tags(place.repository("debian-binary-redis"))
    assert there.unresolved() == []
    assert states(lamina(tmp_path, place, "cron")) == {}
    assert lamina(tmp_path, place, "--expired", "--remove", "cron")["removals"] == []


def test_a_digest_that_another_tag_means_is_not_deleted(
    client: Client, place: Namespace, tmp_path: Path
) -> None:
    digest = put(
        client, place, "cron", "debian-binary-cron:latest", "debian-binary-cron:production"
    )
    tell(client, place, "cron", YESTERDAY)

    (removal,) = lamina(tmp_path, place, "--expired", "--remove", "cron")["removals"]

    assert removal["kept"]["latest"] == "the tag production means the same"
    assert client.manifest_digest(place.repository("debian-binary-cron"), "production") == digest
    assert client.manifest_digest(place.repository("debian-binary-cron"), "latest") == digest


def test_a_digest_that_an_index_names_is_not_deleted(
    client: Client, place: Namespace, tmp_path: Path
) -> None:
    digest = put(client, place, "cron", "debian-binary-cron:latest")
    tell(client, place, "cron", YESTERDAY)
    repository = place.repository("debian-binary-cron")
    child = client.manifest(repository, digest)
    assert child
    named = {"mediaType": MANIFEST_TYPE, "digest": str(digest), "size": len(child.content)}
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [named]}
    content = canonical_json(index)
    client.put_manifest(repository, "all", Manifest(content=content, media_type=INDEX_TYPE))

    (removal,) = lamina(tmp_path, place, "--expired", "--remove", "cron")["removals"]

    assert removal["kept"]["latest"] == f"the index {Digest.of(content)} names it"
    assert client.manifest_digest(repository, "latest") == digest


def test_what_the_lock_needs_stays_until_its_new_name_means_it(
    client: Client, place: Namespace, tmp_path: Path
) -> None:
    put(client, place, "cron", "debian-binary-cron:latest")
    tell(client, place, "cron", YESTERDAY)
    a_store(tmp_path / "store", "cron", Artifact(type=IMAGE, content=b"cron").manifest())

    (removal,) = lamina(tmp_path, place, "--expired", "--remove", "cron")["removals"]

    successor = place.repository("debian-cron:latest")
    assert removal["kept"]["latest"] == f"the lock's image, and {successor} does not mean it"
    put(client, place, "cron", "debian-cron:latest")
    lamina(tmp_path, place, "--expired", "--remove", "cron")
    assert client.tags(place.repository("debian-binary-cron")) == ()


def test_former_images_go_with_the_last_name(
    client: Client, place: Namespace, tmp_path: Path
) -> None:
    for text in ("former", "present"):
        digest = put(client, place, text, "debian-binary-cron:latest")
        put(client, place, text, f"debian-binary-cron:content-{digest.hex[:16]}")
    tell(client, place, "cron", YESTERDAY)

    lamina(tmp_path, place, "--expired", "--remove", "cron")

    assert client.tags(place.repository("debian-binary-cron")) == ()


def test_a_tag_of_the_content_goes_with_it(
    client: Client, place: Namespace, tmp_path: Path
) -> None:
    digest = put(client, place, "cron", "debian-binary-cron:latest")
    put(client, place, "cron", f"debian-binary-cron:{digest.short}")
    tell(client, place, "cron", YESTERDAY)

    lamina(tmp_path, place, "--expired", "--remove", "cron")

    assert client.tags(place.repository("debian-binary-cron")) == ()


def test_removal_is_only_ever_of_what_was_listed(place: Namespace, tmp_path: Path) -> None:
    assert "without --expired" in json.dumps(lamina(tmp_path, place, "--remove", code=2))


def test_a_registry_that_is_not_there_is_an_error_of_the_network(tmp_path: Path) -> None:
    lamina(tmp_path, Namespace(host="127.0.0.1:9", path="fleet", clear=True), "cron", code=4)


def test_an_interrupt_does_not_wait_for_a_registry_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}/fleet"
        process = Workshop(folder=tmp_path).start("names", "--in", place)
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)  # it has asked, and waits
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            _, messages = process.communicate()

    assert process.returncode == 130, messages
    assert time.monotonic() - began < 5
