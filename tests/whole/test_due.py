"""Publishing at a cadence: what has changed, when its turn has come, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SMALL, Workshop
from tests.whole.registry import Registry, registry

from lamina.model.built import Built
from lamina.model.image import ImageId
from lamina.oci.artifact import Artifact
from lamina.registry import Access, open_registry
from lamina.registry.artifacts import get_artifact, put_artifact
from lamina.store.store import Store
from lamina.upkeep.ledger import LEDGER_TYPE, Entry, Ledger

pytestmark = pytest.mark.real

LEDGER = ("fleet/lamina-ledger", "latest-debian-13-amd64")
CRON = ImageId("cron")
CHANGE = "images:\n  cron: {change: {steps: {append: ['echo mine > /mine']}}}\n"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Registry]:
    with registry(tmp_path / "registry") as there:
        yield there


def publish(workshop: Workshop, there: Registry, *words: str) -> Any:
    place = f"http://{there.address}/fleet"
    done = workshop.lamina("publish", "--to", place, "--due", "--json", *words)
    return json.loads(done.stdout)


def turns(told: Mapping[str, Any]) -> Mapping[str, tuple[bool, str]]:
    return {one["image"]: (one["due"], one["reason"]) for one in told["due"]["images"]}


def rewrite(there: Registry, image: ImageId, **changes: Any) -> None:
    """Let the ledger tell something else of an image."""
    with open_registry(f"http://{there.address}", Access()) as client:
        found = get_artifact(client, *LEDGER, LEDGER_TYPE)
        assert found
        entries = dict(Ledger.from_json(found.content).entries)
        entries[image] = replace(entries[image], **changes)
        content = Ledger(entries=entries).to_json()
        put_artifact(client, *LEDGER, Artifact(type=LEDGER_TYPE, content=content))


def tag(workshop: Workshop, built: Built) -> None:
    """Let this be what the store has of its image."""
    Store(workshop.store).tag(workshop.distro, built, ["debian-cron:latest"], {"kind": "infra"})


def entry(there: Registry, image: ImageId) -> Entry:
    with open_registry(f"http://{there.address}", Access()) as client:
        found = get_artifact(client, *LEDGER, LEDGER_TYPE)
        assert found
        return Ledger.from_json(found.content).entries[image]


def test_what_has_changed_is_sent_when_its_turn_has_come(
    workshop: Workshop, there: Registry, tmp_path: Path
) -> None:
    first = publish(workshop, there)
    assert set(turns(first).values()) == {(True, "never published here")}
    assert first["sent"]["blob_bytes"] == first["plan"]["blob_bytes"] > 0

    again = publish(workshop, there)
    assert set(turns(again).values()) == {(False, "unchanged")}
    assert again["sent"]["blob_bytes"] == again["sent"]["manifest_bytes"] == 0
    assert again["beside"]["bytes"] == 0

    mine = tmp_path / "mine/infra"
    mine.mkdir(parents=True)
    (mine / "mine.yaml").write_text(CHANGE)
    words = ("--catalog", str(mine.parent))
    workshop.lamina("build", "cron", *words)
    today = datetime.now(UTC).date()

    waiting = publish(workshop, there, *words)
    due_on = today + timedelta(days=7)
    assert turns(waiting)["cron"] == (False, f"changed, weekly, due on {due_on}")
    assert waiting["sent"]["blob_bytes"] == 0
    old = there.tags()["fleet/debian-cron:latest"]
    file = tmp_path / "digests.json"
    publish(workshop, there, "cron", *words, "--names", "split,legacy", "--digests", str(file))
    here = f"{there.address}/fleet/debian-cron"  # its other names wait, too
    assert json.loads(file.read_text()) == {f"{here}:latest": f"{here}@{old}"}

    # A security update does not wait: as if the lock had taken a package from there since.
    built = Store(workshop.store).read_current(workshop.distro).images[CRON]
    unit = replace(built.units[0], repository="debian-security")
    tag(workshop, replace(built, units=(unit, *built.units[1:])))
    updated = publish(workshop, there, *words, "--dry-run")
    assert turns(updated)["cron"] == (True, f"security update of {unit.name}")
    assert [one["image"] for one in updated["images"]] == ["cron"]
    tag(workshop, built)

    published = entry(there, CRON).now
    week_ago = replace(published, published=published.published - timedelta(days=7))
    rewrite(there, CRON, now=week_ago)
    foretold = publish(workshop, there, *words, "--dry-run")
    sent = publish(workshop, there, *words)

    assert turns(sent)["cron"][0]
    assert [one["image"] for one in sent["images"]] == ["cron"]
    config = (workshop.store / "oci/blobs/sha256" / built.config.hex).stat().st_size
    assert sent["sent"]["blob_bytes"] == built.layers[-1].size + config
    assert foretold["plan"] == sent["plan"]
    assert there.tags()["fleet/debian-cron:latest"] == str(built.manifest) != old
    assert [str(one.manifest) for one in entry(there, CRON).before] == [old]


def test_the_report_sets_what_was_sent_against_every_image_every_day(
    built: Workshop, there: Registry
) -> None:
    told = publish(built, there)

    unique = {
        layer.digest: layer.size
        for image in Store(built.store).read_current(built.distro).images.values()
        for layer in image.layers
    }
    infra = {
        layer.digest
        for id_, image in Store(built.store).read_current(built.distro).images.items()
        if id_.type is None
        for layer in image.layers
    }
    twice = sum(unique[digest] for digest in infra)
    assert told["due"]["daily_cost"] == {
        "day": sum(unique.values()) + twice,
        "days": 1,
        "total": sum(unique.values()) + twice,
    }
    shown = built.lamina("publish", "--to", f"http://{there.address}/fleet", "--due").stdout
    assert "0 due" in shown
    assert "every image every day under both types: " in shown
    assert shown.rstrip().endswith("it was 0 B")


def test_the_file_of_digests_has_what_was_published_before_too(
    built: Workshop, there: Registry, tmp_path: Path
) -> None:
    files = [tmp_path / f"{name}.json" for name in "ab"]
    for file in files:
        publish(built, there, "--digests", str(file))

    assert files[0].read_text() == files[1].read_text()
    assert len(json.loads(files[0].read_text())) >= len(SMALL)


def test_what_others_did_to_an_image_that_is_not_due_is_put_right(
    built: Workshop, there: Registry
) -> None:
    publish(built, there)
    before = there.tags()
    with open_registry(f"http://{there.address}", Access()) as client:
        base = client.manifest("fleet/debian-base", "latest")
        assert base
        for blob in base.blobs():
            client.mount_blob("fleet/debian-cron", blob.digest, "fleet/debian-base")
        client.put_manifest("fleet/debian-cron", "latest", base)
        chrony = client.manifest("fleet/debian-chrony", "latest")
        assert chrony
        *_, lost = chrony.blobs()  # its own changes, which no other image has
    hex_ = lost.digest.hex
    shutil.rmtree(there.folder / f"data/docker/registry/v2/blobs/sha256/{hex_[:2]}/{hex_}")
    assert there.unresolved() != []

    told = publish(built, there)

    assert set(turns(told).values()) == {(False, "unchanged")}
    # Of chrony no tag had to be put.
    assert {one["image"]: one["changed"] for one in told["images"]} == {
        "cron": True,
        "chrony": False,
    }
    assert told["sent"]["blob_bytes"] == lost.size
    assert there.unresolved() == []
    assert there.tags() == before


def test_a_name_that_is_new_is_due_and_costs_no_blob(built: Workshop, there: Registry) -> None:
    publish(built, there, "cron", "memcached")

    told = publish(built, there, "cron", "--names", "split,legacy", "--until", "2030-01-01")

    assert turns(told) == {"cron": (True, "the name fleet/debian-binary-cron:latest is new")}
    assert told["sent"]["blob_bytes"] == 0
    assert told["beside"]["notices"] == 2
    place = ("names", "cron", "--in", f"http://{there.address}/fleet", "--json")
    listed = json.loads(built.lamina(*place).stdout)["names"]
    assert {(one["name"], one["state"], one["until"]) for one in listed} == {
        ("debian-binary-cron:latest", "kept", "2030-01-01"),
        ("debian-source-cron:latest", "kept", "2030-01-01"),
    }
