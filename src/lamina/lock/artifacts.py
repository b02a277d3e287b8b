"""The artifacts of a fleet: pinned by the catalogue, by an earlier lock, or on first sight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamina.lock.request import buildable
from lamina.model.artifact import Artifact
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock, Pinned, UnitRef, artifact_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was found where the catalogue gives no digest."""

    digest: Digest
    size: int  # bytes


Sights = Mapping[str, Sight]  # by key


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The artifacts of one image as a lock has them."""

    pinned: tuple[UnitRef, ...]  # sorted
    unpinned: tuple[str, ...]  # keys, sorted


def key_of(artifact: Artifact) -> str:
    """Return the key that the artifact's unit has in a lock."""
    return f"{artifact_name(artifact.name)}_{artifact.version}_{artifact.architecture}"


def unseen(catalog: Catalog, previous: Lock | None) -> tuple[Artifact, ...]:
    """Return the artifacts of buildable images that nothing pins yet, each once, by key."""
    found = {
        key_of(artifact): artifact
        for image in buildable(catalog)
        for artifact in image.artifacts
        if _pin(artifact, previous, {}) is None
    }
    return tuple(found[key] for key in sorted(found))


def choose_artifacts(image: Image, previous: Lock | None, sights: Sights) -> Chosen:
    """Return the artifacts of an image, each pinned by the catalogue, by `previous` or `sights`.

    What was pinned on first sight stays so until the catalogue has a digest for it, or means
    another file: a publisher who exchanges it is found out.
    """
    pins = {key_of(artifact): _pin(artifact, previous, sights) for artifact in image.artifacts}
    return Chosen(
        pinned=tuple(sorted(pin for pin in pins.values() if pin)),
        unpinned=tuple(sorted(key for key, pin in pins.items() if pin is None)),
    )


def new_sights(previous: Lock | None, lock: Lock) -> tuple[UnitRef, ...]:
    """Return the artifacts that a lock has pinned on first sight, and the one before had not."""
    before = set(previous.units.values()) if previous else set()
    sights = {unit for unit in lock.units.values() if unit.pinned == "first sight"}
    return tuple(sorted(sights - before))


def unpinned_images(lock: Lock) -> Mapping[str, tuple[ImageId, ...]]:
    """Return the artifacts that a lock has no digest of, by key, with the images that need them."""
    found: dict[str, tuple[ImageId, ...]] = {}
    for image in lock.images:
        for key in image.unpinned:
            found[key] = (*found.get(key, ()), image.id)
    return dict(sorted(found.items()))


def _pin(artifact: Artifact, previous: Lock | None, sights: Sights) -> UnitRef | None:
    key = key_of(artifact)
    before = previous.units.get(key) if previous else None
    pinned: Pinned = "catalogue"
    size = artifact.size
    digest = artifact.digest
    if digest is None:
        pinned = "first sight"
        if key in sights:
            size, digest = sights[key].size, sights[key].digest
        elif before and before.pinned == pinned and before.path == artifact.path:
            size, digest = before.size, before.digest
        else:
            return None
    return UnitRef(
        name=artifact_name(artifact.name),
        version=artifact.version,
        architecture=artifact.architecture,
        repository=artifact.source,
        path=artifact.path,
        size=size,
        digest=digest,
        pinned=pinned,
        recipe=artifact.recipe,
    )
