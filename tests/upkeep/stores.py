"""A store that has one image, of which the tests know no more than its manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.plan.fleets import a_build, a_catalog, a_lock, an_image

from lamina.model.image import ImageId
from lamina.store.store import Store


def a_store(root: Path, name: str, manifest: bytes) -> None:
    """Make a store at `root` whose image `name` has this manifest."""
    store = Store.open(root)
    catalog = a_catalog(an_image(name))
    built = a_build(catalog, a_lock(catalog, {}))[ImageId(name)]
    digest, config = store.layout.write_blob(manifest), store.layout.write_blob(b"{}")
    store.delta_path(digest).mkdir()
    store.tag(
        "debian-13",
        replace(built, manifest=digest, manifest_size=len(manifest), config=config),
        [f"debian-{name}:latest"],
        {"kind": "infra"},
    )
