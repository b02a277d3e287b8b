"""What a registry has lost of what it had is found, and sent or mounted again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.whole.registry import Registry, registry

from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.model.reference import Reference
from lamina.oci.descriptor import CONFIG_TYPE, GZIP_LAYER_TYPE, MANIFEST_TYPE, Descriptor
from lamina.oci.layout import Layout
from lamina.publish import Blob, Publication, PublishPlan, make_plan
from lamina.publish.asking import ask
from lamina.publish.sending import send
from lamina.registry import Access, open_registry

pytestmark = pytest.mark.real

BASE, CONFIG, OWN = b"what both stand on", b"{}", b"what one has of its own"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Registry]:
    with registry(tmp_path / "registry") as there:
        yield there


def an_image(layout: Layout, name: str, *layers: bytes) -> Publication:
    """Put an image into the layout; return it with two names."""
    parts = [
        Descriptor(media_type=kind, digest=layout.write_blob(content), size=len(content))
        for kind, content in ((CONFIG_TYPE, CONFIG), *((GZIP_LAYER_TYPE, one) for one in layers))
    ]
    config, *rest = (part.to_json() for part in parts)
    manifest = canonical_json(
        {
            **{"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": rest},
            "annotations": {"title": name},
        }
    )
    return Publication(
        image=ImageId(name),
        manifest=layout.write_blob(manifest),
        manifest_size=len(manifest),
        blobs=tuple(Blob(digest=part.digest, size=part.size) for part in parts),
        references=tuple(
            Reference(repository=f"fleet/{one}", tag="latest") for one in (name, f"old-{name}")
        ),
        generation=0,
    )


def publish(there: Registry, layout: Layout, *images: Publication) -> PublishPlan:
    """Publish images; return what had to be done."""
    with open_registry(f"http://{there.address}", Access()) as client:
        plan = make_plan(images, ask(client, images, ()))
        send(client, plan, layout, lambda _event: None)
    return plan


def lose(there: Registry, content: bytes, *, repository: str | None = None) -> None:
    """Take a blob from the whole registry, or out of one repository."""
    digest = Digest.of(content).hex
    data = there.folder / "data/docker/registry/v2"
    if repository:
        shutil.rmtree(data / f"repositories/{repository}/_layers/sha256/{digest}")
    else:
        shutil.rmtree(data / f"blobs/sha256/{digest[:2]}/{digest}")


@pytest.mark.parametrize("content", [BASE, CONFIG, OWN])
def test_a_blob_that_the_registry_has_lost_is_sent_again_once(
    there: Registry, layout: Layout, content: bytes
) -> None:
    images = an_image(layout, "base", BASE), an_image(layout, "cron", BASE, OWN)
    publish(there, layout, *images)
    lose(there, content)
    assert there.unresolved() != []

    plan = publish(there, layout, *images)

    assert there.unresolved() == []
    assert [one.blob.digest for one in plan.uploads] == [Digest.of(content)]
    assert (plan.contents, plan.tags) == ((), ())
    assert publish(there, layout, *images) == PublishPlan()


def test_a_blob_that_one_repository_has_and_another_has_lost_is_mounted_again(
    there: Registry, layout: Layout
) -> None:
    images = an_image(layout, "base", BASE), an_image(layout, "cron", BASE, OWN)
    publish(there, layout, *images)
    lose(there, BASE, repository="fleet/base")
    assert there.unresolved() != []

    plan = publish(there, layout, *images)

    assert there.unresolved() == []
    assert plan.uploads == ()
    assert [one.repository for one in plan.mounts] == ["fleet/base"]


def test_each_blob_is_asked_for_once_in_whatever_many_repositories(
    there: Registry, layout: Layout
) -> None:
    images = an_image(layout, "base", BASE), an_image(layout, "cron", BASE, OWN)
    publish(there, layout, *images)

    with open_registry(f"http://{there.address}", Access()) as client:
        ask(client, images, ())

        names = sum(len(image.references) for image in images)
        assert client.traffic.requests == 2 * names + len({BASE, CONFIG, OWN})


def test_a_changed_image_comes_whole_though_its_old_manifest_has_lost_a_blob(
    there: Registry, layout: Layout
) -> None:
    publish(there, layout, an_image(layout, "cron", BASE))
    lose(there, BASE)

    publish(there, layout, an_image(layout, "cron", BASE, OWN))

    assert [name for name in there.unresolved() if name.endswith(":latest")] == []
