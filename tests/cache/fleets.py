"""A small fleet that another machine has built, and a registry that has it, as the tests need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.plan.fleets import a_catalog, a_lock, a_unit, an_image

from lamina.cache import Cache, Quest, Wanted, key_tag, record_artifact
from lamina.errors import NetworkError
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import Event, Note
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock
from lamina.oci.image import make_config, make_manifest
from lamina.oci.layer import write_layer
from lamina.oci.layout import Layout
from lamina.oci.tree import scan_upper
from lamina.plan import inputs_of
from lamina.store.built_json import to_json

EPOCH = 1_700_000_000
Made = tuple[dict[ImageId, Built], Layout]  # what another machine has built, and where
BASE, CRON, CHILD, OTHER = (ImageId(name) for name in ("base", "cron", "cron-child", "other"))


def a_fleet() -> tuple[Catalog, Lock]:
    """Return base, two images over it, and one over one of these."""
    catalog = a_catalog(
        an_image("base"),
        an_image("cron", "base"),
        an_image("other", "base"),
        an_image("cron-child", "cron"),
    )
    return catalog, a_lock(catalog, {"base": [a_unit("libc6")], "cron": [a_unit("cron")]})


def wanted(catalog: Catalog, lock: Lock, image: Image, parent: Built | None) -> Wanted:
    """Return what a build of the image over this parent would make it of."""
    entry = lock.by_id()[image.id]
    over = parent.manifest if parent else None
    return Wanted(
        image=image,
        parent=parent,
        inputs=inputs_of(image, entry, distro=catalog.distro, lock=lock, parent=over),
        units=lock.units_of(entry),
        architecture=lock.architecture,
    )


def build(catalog: Catalog, lock: Lock, folder: Path) -> Made:
    """Build every image elsewhere: a delta with a file of the image's name is all that it adds."""
    layout = Layout(folder / "elsewhere")
    layout.create()
    made: dict[ImageId, Built] = {}
    for image in catalog.images:
        upper = folder / f"upper-{image.id}"
        upper.mkdir()
        (upper / str(image.id)).write_text(f"of {image.id}")
        parent = made[image.parent] if image.parent else None
        asked = wanted(catalog, lock, image, parent)
        layer = write_layer(scan_upper(upper), layout, mtime_limit=EPOCH)
        layers = (*(parent.layers if parent else ()), layer)
        config = make_config(
            image.runtime, layers=layers, epoch=EPOCH, architecture=lock.architecture
        )
        base = parent.manifest if parent else None
        manifest = make_manifest(config, layers, title=str(image.id), epoch=EPOCH, base=base)
        made[image.id] = Built(
            id=image.id,
            key=asked.key,
            inputs=asked.inputs,
            parent=base,
            manifest=Digest.of(manifest),
            manifest_size=len(manifest),
            config=Digest.of(config),
            units=tuple(asked.units),
            trees={},
            layers=layers,
            own_layers=1,
            epoch=EPOCH,
            seconds=1.0,
            tested=Digest.of(b"tests"),
        )
    return made, layout


@dataclass(frozen=True, slots=True)
class Answer:
    """A manifest."""

    content: bytes


@dataclass
class Shelf:
    """A registry that is asked by nobody but the test; it tells what it was asked for."""

    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    pulled: list[Digest] = field(default_factory=list)
    broken: bool = False
    stopped: bool = False

    def manifest(self, repository: str, reference: str) -> Answer | None:
        self.asked.append(repository)
        if self.broken:
            raise NetworkError.one("no answer", place="shelf")
        content = self.manifests.get((repository, reference))
        return Answer(content) if content else None

    def pull_blob(self, repository: str, digest: Digest, path: Path) -> bool:
        if digest not in self.blobs:
            return False
        self.pulled.append(digest)
        path.write_bytes(self.blobs[digest])
        return True

    def stop(self) -> None:
        self.stopped = True

    def put(self, built: Built, layout: Layout, *, record: bytes | None = None) -> None:
        """Take an image with its record, which may be another one than its own."""
        artifact = record_artifact(built)
        text = artifact.content if record is None else record
        manifest = replace(artifact, content=text).manifest()
        self.manifests[f"fleet/{built.id}", key_tag(built.key)] = manifest
        self.blobs[Digest.of(text)] = text
        for layer in built.layers:
            self.blobs[layer.digest] = layout.blob_path(layer.digest).read_bytes()

    def cache(self, name: str = "registry.example/fleet") -> Cache:
        return Cache(name=name, source=self, repository=lambda image: f"fleet/{image.id}")


def a_quest(catalog: Catalog, lock: Lock, current: Mapping[ImageId, Built] | None = None) -> Quest:
    """Return the quest for every image that is not current."""
    there = current or {}
    return Quest(
        images=tuple(image for image in catalog.images if image.id not in there),
        current=there,
        known=lambda _key: None,
        wanted=lambda image, parent: wanted(catalog, lock, image, parent),
    )


def altered(built: Built, **changes: object) -> bytes:
    """Return the record of an image that somebody has changed, well sealed again."""
    return to_json(replace(built, **changes))  # type: ignore[arg-type]


def notes(events: Iterable[Event]) -> list[str]:
    """Return what a person was told."""
    return [event.message for event in events if isinstance(event, Note)]
