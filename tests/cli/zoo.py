"""A small fleet over the default catalogue, with a lock and a store that nobody had to build."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.plan.fleets import a_unit

from lamina.build.proof import tests_digest
from lamina.catalog import default_folder, load_catalog
from lamina.layering import group_id
from lamina.lock import buildable, catalog_digest, request_digest, write_lock
from lamina.model.built import Built, Layer, Part
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.image import Image, ImageId
from lamina.model.lock import DpkgCall, Lock, LockedImage
from lamina.plan import inputs_of
from lamina.store.store import Store

FAMILIES = {
    "infra/zebra.yaml": """
images:
  zebra-base:
    parent: base
  zebra-server:
    parent: zebra-base
    summary: stripes
    aliases: [quagga]
    packages: [zebra]
    test:
      - {run: [zebra, --version]}
  zebra-client:
    parent: zebra-base
    distros: {debian: too fast}
  zebra-foal:
    parent: zebra-client
""",
    "openstack/yak.yaml": """
images:
  yak-api:
    parent: base
    types: [binary, source]
    environment: {HORNS: "2"}
""",
}
ZOO = ("family:zebra", "family:yak")


def write_zoo(folder: Path) -> Path:
    """Write the catalogue folder `zoo`."""
    for name, text in FAMILIES.items():
        file = folder / "zoo" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "zoo" / "infra" / "unfed.yaml").write_text(json.dumps({"images": _unfed()}))
    return folder / "zoo"


def _unfed() -> Mapping[str, Any]:
    """Take the artifacts from the default catalogue's images: the zoo's lock knows of none."""
    default = load_catalog((default_folder(),), "debian-13", architecture="amd64")
    return {
        image.id.name: {"change": {"artifacts": {"replace": []}}}
        for image in default.images
        if image.artifacts
    }


def load_zoo(folder: Path) -> Catalog:
    return load_catalog((default_folder(), folder / "zoo"), "debian-13", architecture="amd64")


def write_zoo_lock(folder: Path, zebra: str = "1.0") -> Lock:
    """Write a lock in which the zebra server has a package, and nothing else has any."""
    catalog = load_zoo(folder)
    unit = a_unit("zebra", zebra)
    calls = tuple(DpkgCall(action=action, units=(unit.key,)) for action in ("unpack", "configure"))
    lock = Lock(
        distro="debian-13",
        architecture="amd64",
        catalog=catalog_digest(catalog),
        indices=(),
        units={unit.key: unit},
        layers={group_id(["zebra"]): ("zebra",)},
        images=tuple(
            LockedImage(
                id=image.id,
                parent=image.parent,
                request=request_digest(image, catalog.distro),
                packages=tuple(sorted(image.packages)),
                calls=calls if image.id.name == "zebra-server" else (),
                layers=(group_id(["zebra"]),) if image.id.name == "zebra-server" else (),
            )
            for image in buildable(catalog)
        ),
    )
    write_lock(lock, folder / "lamina.lock.json")
    return lock


def fill_store(folder: Path, lock: Lock, only: Collection[str]) -> Mapping[ImageId, Built]:
    """Put finished images of these names and their ancestors into the store, by their keys."""
    catalog = load_zoo(folder)
    store = Store.open(folder / "store")
    done: dict[ImageId, Built] = {}
    for image in catalog.images:
        if image.id.name in {"base", *only}:
            built = _built(image, catalog, lock, done)
            built = _stored(store, built, done)
            built = replace(built, tested=tests_digest(image, built.manifest))
            store.tag("debian-13", built, [f"{image.id}:latest"], {"kind": image.kind})
            done[image.id] = built
    return done


def _built(image: Image, catalog: Catalog, lock: Lock, done: Mapping[ImageId, Built]) -> Built:
    locked = lock.by_id()[image.id]
    parent = done[image.parent].manifest if image.parent else None
    inputs = inputs_of(image, locked, distro=catalog.distro, lock=lock, parent=parent)
    return Built(
        id=image.id,
        key=inputs.key(),
        inputs=inputs,
        parent=parent,
        manifest=Digest.of(b""),
        manifest_size=0,
        config=Digest.of(b""),
        units=lock.units_of(locked),
        trees={},
        layers=(),
        own_layers=1,
        epoch=0,
        seconds=2.0,
    )


def _stored(store: Store, built: Built, done: Mapping[ImageId, Built]) -> Built:
    """Write blobs for the image: a layer of its own over its parent's, and a manifest.

    They follow from the key alone, as those of a build do.
    """
    content = f"layer of {built.key}".encode()
    own = Layer(
        diff_id=Digest.of(content + b" uncompressed"),
        digest=store.layout.write_blob(content),
        size=len(content),
        apparent=10 * len(content),
        disk=4096,
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        parts=tuple(
            Part(unit=unit.key, size=len(content), apparent=10 * len(content))
            for unit in built.units
        ),
    )
    below = next((parent for parent in done.values() if parent.manifest == built.parent), None)
    manifest = f"manifest of {built.key}".encode()
    digest = store.layout.write_blob(manifest)
    store.delta_path(digest).mkdir(exist_ok=True)
    return replace(
        built,
        manifest=digest,
        manifest_size=len(manifest),
        config=store.layout.write_blob(b"{}"),
        layers=(*(below.layers if below else ()), own),
    )
