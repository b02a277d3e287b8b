"""Former images in a real registry: kept by count, by age and by need, and deleted otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.upkeep.stores import a_store
from tests.whole.registry import Registry, registry

from lamina.cache import RECORD_TYPE
from lamina.cli import main
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.oci.artifact import Artifact
from lamina.oci.descriptor import INDEX_TYPE, MANIFEST_TYPE
from lamina.registry import Access, Manifest, open_registry
from lamina.registry.artifacts import get_artifact, put_artifact
from lamina.registry.client import Registry as Client
from lamina.upkeep.ledger import LEDGER_TYPE, Entry, Ledger, Publication

pytestmark = pytest.mark.real

NOW = datetime.now(UTC).replace(microsecond=0)
CRON = ImageId("cron")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as there:
        yield there


class Place:
    """A namespace with one image that was published every ten days, the last time today."""

    def __init__(self, there: Registry, client: Client, name: str, folder: Path) -> None:
        self.address = f"http://{there.address}/{name}"
        self.repository = f"{name}/debian-cron"
        self.ledger = (f"{name}/lamina-ledger", "latest-debian-13-amd64")
        self.there, self.client, self.folder = there, client, folder
        self.digests = [self.put(number) for number in range(6)]  # the newest first
        put_artifact(client, self.repository, "latest", image(0))
        self.publish()

    def put(self, number: int) -> Digest:
        digest = Digest.of(image(number).manifest())
        tag = f"content-{digest.hex[:16]}"
        put_artifact(self.client, self.repository, tag, image(number))
        record = Artifact(
            type=RECORD_TYPE,
            content=str(number).encode(),
            annotations={"org.lamina.manifest": str(digest)},
        )
        put_artifact(self.client, self.repository, f"key-{number}", record)
        return digest

    def publish(self) -> None:
        first, *before = [
            Publication(manifest=digest, published=NOW - timedelta(days=10 * number))
            for number, digest in enumerate(self.digests)
        ]
        entry = Entry(now=first, names=frozenset(), security={}, before=tuple(before))
        content = Ledger(entries={CRON: entry}).to_json()
        put_artifact(self.client, *self.ledger, Artifact(type=LEDGER_TYPE, content=content))

    def prune(self, *words: str) -> list[dict[str, Any]]:
        into = ("--in", self.address, "--store", str(self.folder / "store"))
        ran = CliRunner().invoke(
            main, ("prune", "cron", "--json", *into, *words), catch_exceptions=False
        )
        assert ran.exit_code == 0, ran.stderr
        removals: list[dict[str, Any]] = json.loads(ran.stdout)["removals"]
        return removals

    def numbers(self) -> list[int]:
        """Return which of the images are there."""
        return [
            number
            for number, digest in enumerate(self.digests)
            if self.client.manifest_digest(self.repository, digest)
        ]


def image(number: int) -> Artifact:
    return Artifact(type="application/x.image", content=f"image {number}".encode())


@pytest.fixture
def place(there: Registry, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    name = request.node.name.replace("_", "-")
    with open_registry(f"http://{there.address}", Access()) as client:
        yield Place(there, client, name, tmp_path)


def test_nothing_is_deleted_unless_that_is_asked_for(place: Place) -> None:
    (removal,) = place.prune("--keep", "2", "--days", "15")

    assert removal["manifests"] != []
    assert place.numbers() == [0, 1, 2, 3, 4, 5]


def test_count_and_age_both_keep_and_records_go_with_their_images(place: Place) -> None:
    place.prune("--keep", "2", "--days", "35", "--remove")
    assert place.numbers() == [0, 1, 2, 3]

    place.prune("--keep", "2", "--days", "0", "--remove")
    assert place.numbers() == [0, 1]

    tags = place.client.tags(place.repository)
    assert [tag for tag in tags if tag.startswith("key-")] == ["key-0", "key-1"]
    assert "latest" in tags
    found = get_artifact(place.client, *place.ledger, LEDGER_TYPE)
    assert found
    (left,) = Ledger.from_json(found.content).entries[CRON].before
    assert left.manifest == place.digests[1]
    assert place.prune("--keep", "2", "--days", "0") == []


def test_what_the_lock_a_tag_an_index_or_a_file_needs_is_kept(place: Place, tmp_path: Path) -> None:
    a_store(tmp_path / "store", "cron", image(2).manifest())
    put_artifact(place.client, place.repository, "production", image(3))
    child = place.client.manifest(place.repository, place.digests[4])
    assert child
    named = {
        "mediaType": MANIFEST_TYPE,
        "digest": str(place.digests[4]),
        "size": len(child.content),
    }
    index = canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [named]})
    place.client.put_manifest(
        place.repository, "all", Manifest(content=index, media_type=INDEX_TYPE)
    )
    pinned = tmp_path / "digests.json"
    pinned.write_text(json.dumps({"x": f"registry.example/cron@{place.digests[5]}"}))

    words = ("--keep", "1", "--days", "0", "--pinned", str(pinned), "--remove")
    (removal,) = place.prune(*words)

    assert place.numbers() == [0, 2, 3, 4, 5]
    assert removal["manifests"]


def test_what_no_ledger_knows_is_kept(place: Place) -> None:
    place.client.delete_manifest(place.ledger[0], place.client.manifest_digest(*place.ledger) or "")

    assert place.prune("--keep", "1", "--days", "0", "--remove") == []
    assert place.numbers() == [0, 1, 2, 3, 4, 5]
