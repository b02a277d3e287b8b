"""Small fleets for the tests: a catalogue, its lock, and what a finished build would leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lamina.layering import group_id
from lamina.model.built import Built
from lamina.model.catalog import Catalog, Distro, PathRule
from lamina.model.digest import Digest
from lamina.model.image import Image, ImageId, Kind
from lamina.model.lock import DpkgCall, Lock, LockedImage, UnitRef, dpkg_name
from lamina.plan import inputs_of

DISTRO = Distro(
    name="debian-13",
    short="debian",
    release="trixie",
    fallback=("debian-13", "debian", "deb"),
    backend="deb",
    architecture="amd64",
    repositories=(),
    rules=(PathRule(glob="/var/log/dpkg.log", action="remove", why="times"),),
)


def an_image(name: str, parent: str | None = None, *, unbuildable: str = "") -> Image:
    return Image(
        id=ImageId(name),
        kind=Kind.INFRA,
        family=name,
        parent=ImageId(parent) if parent else None,
        unbuildable=unbuildable,
        place=f"infra/{name}.yaml:2",
    )


def a_unit(name: str, version: str = "1.0", architecture: str = "amd64") -> UnitRef:
    return UnitRef(
        name=name,
        version=version,
        architecture=architecture,
        repository="debian",
        path=f"pool/{name}_{version}_{architecture}.deb",
        size=1000,
        digest=Digest.of(f"{name} {version} {architecture}".encode()),
    )


def a_catalog(*images: Image) -> Catalog:
    return Catalog(distro=DISTRO, images=images)


def a_lock(catalog: Catalog, packages: Mapping[str, Iterable[UnitRef]]) -> Lock:
    """Lock every buildable image with its packages, unpacked and configured in that order."""
    locked = []
    units: dict[str, UnitRef] = {}
    layers: dict[str, tuple[str, ...]] = {}
    for image in catalog.images:
        own = tuple(packages.get(image.id.name, ()))
        units |= {unit.key: unit for unit in own}
        keys = tuple(unit.key for unit in own)
        names = sorted(
            dpkg_name(unit.name, unit.architecture, native=DISTRO.architecture) for unit in own
        )
        if names:
            layers[group_id(names)] = tuple(names)
        calls = (
            DpkgCall(action="unpack", units=keys),
            DpkgCall(action="configure", units=keys),
        )
        locked.append(
            LockedImage(
                id=image.id,
                parent=image.parent,
                request=Digest.of(str(image.id).encode()),
                calls=calls if keys else (),
                layers=(group_id(names),) if names else (),
            )
        )
    return Lock(
        distro=catalog.distro.name,
        architecture="amd64",
        catalog=Digest.of(b"catalogue"),
        indices=(),
        units=units,
        layers=layers,
        images=tuple(locked),
    )


def a_build(catalog: Catalog, lock: Lock) -> dict[ImageId, Built]:
    """Return what a build of everything leaves; a manifest depends on the key alone."""
    current: dict[ImageId, Built] = {}
    locked = lock.by_id()
    for image in catalog.images:
        if image.unbuildable or (image.parent and image.parent not in current):
            continue
        parent = current[image.parent].manifest if image.parent else None
        inputs = inputs_of(image, locked[image.id], distro=catalog.distro, lock=lock, parent=parent)
        current[image.id] = Built(
            id=image.id,
            key=inputs.key(),
            inputs=inputs,
            parent=parent,
            manifest=Digest.of(str(inputs.key()).encode()),
            manifest_size=500,
            config=Digest.of(b"config"),
            units=(),
            trees={},
            layers=(),
            own_layers=0,
            epoch=0,
            seconds=1.0,
        )
    return current


def with_image(catalog: Catalog, changed: Image) -> Catalog:
    """Return the catalogue with one image exchanged for a changed one of the same name."""
    images = tuple(changed if image.id == changed.id else image for image in catalog.images)
    return replace(catalog, images=images)
