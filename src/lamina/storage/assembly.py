"""From a fleet to its report: what each image, layer and package weighs, alone and shared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lamina.model.built import Built, Layer
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.storage.deltas import delta_storages
from lamina.storage.fleet import Fleet, own_deltas, own_units, size_of, unit_sizes
from lamina.storage.report import (
    NOTHING,
    ImageStorage,
    LayerStorage,
    NodeStorage,
    PackageStorage,
    Size,
    StorageReport,
    total,
)
from lamina.storage.what_if import answer, what_ifs

_Layers = Mapping[Digest, Layer]  # by the blob's digest
_Holders = Mapping[Digest, Sequence[ImageId]]  # the images that have a layer, sorted
_Units = Mapping[str, Size]  # by key


def make_report(fleet: Fleet) -> StorageReport:
    """Return what these images weigh, each alone and all together.

    What belongs to an ancestor that is none of them counts as theirs. A package that dpkg
    unpacked itself is a part of its image's delta.
    """
    images = fleet.images
    layers = {layer.digest: layer for image in images for layer in image.layers}
    holders = _holders(images)
    units = unit_sizes(layers.values())
    storages = tuple(_images(fleet, layers, holders, units))
    unique = total(map(size_of, layers.values()))
    deltas = total(size_of(layer) for layer in layers.values() if not layer.parts)
    lower_bound = total((deltas, *units.values()))
    found = what_ifs(fleet, units, layered=unique, lower_bound=lower_bound)
    return StorageReport(
        images=storages,
        layers=_layers(fleet, layers, holders),
        packages=_packages(fleet, layers, holders, units),
        deltas=delta_storages(fleet),
        apparent=total(storage.apparent for storage in storages),
        unique=unique,
        shared=total(size_of(layer) for layer in layers.values() if _is_shared(layer, holders)),
        lower_bound=lower_bound,
        registry=unique.compressed + _documents(fleet),
        node=_node(images),
        what_if=found,
        answer=answer(found),
    )


def _holders(images: Iterable[Built]) -> _Holders:
    holders: defaultdict[Digest, list[ImageId]] = defaultdict(list)
    for image in images:
        for digest in {layer.digest for layer in image.layers}:
            holders[digest].append(image.id)
    return holders


def _is_shared(layer: Layer, holders: _Holders) -> bool:
    return len(holders[layer.digest]) > 1


def _images(
    fleet: Fleet, layers: _Layers, holders: _Holders, units: _Units
) -> Iterator[ImageStorage]:
    members = fleet.members()
    amortised = _amortised(layers.values(), holders)
    for image in fleet.images:
        # A blob that an image has twice is stored once.
        different = tuple({layer.digest: layer for layer in image.layers}.values())
        yield ImageStorage(
            id=image.id,
            family=fleet.families[image.id],
            parent=members[image.parent].id if image.parent else None,
            layers=len(image.layers),
            apparent=total(map(size_of, different)),
            exclusive=total(size_of(one) for one in different if not _is_shared(one, holders)),
            shared=total(size_of(one) for one in different if _is_shared(one, holders)),
            amortised=amortised.get(image.id, NOTHING),
            own=total(units[unit] for unit in own_units(image)),
            delta=total(map(size_of, own_deltas(image))),
            seconds=image.seconds,
        )


def _amortised(layers: Iterable[Layer], holders: _Holders) -> Mapping[ImageId, Size]:
    """Return each image's part of all its layers; the parts of all images make up the whole."""
    parts: dict[ImageId, Size] = {}
    for layer in layers:
        images = holders[layer.digest]
        for position, image in enumerate(images):
            part = Size(
                uncompressed=_part(layer.apparent, position, len(images)),
                compressed=_part(layer.size, position, len(images)),
                disk=_part(layer.disk, position, len(images)),
            )
            parts[image] = parts.get(image, NOTHING) + part
    return parts


def _part(whole: int, position: int, count: int) -> int:
    """Return one of `count` parts of `whole`; the first ones have a byte more if need be."""
    each, rest = divmod(whole, count)
    return each + (position < rest)


def _layers(fleet: Fleet, layers: _Layers, holders: _Holders) -> tuple[LayerStorage, ...]:
    names = {unit.key: unit.name for built in fleet.members().values() for unit in built.units}
    owners: defaultdict[Digest, set[ImageId]] = defaultdict(set)
    for built in fleet.members().values():
        for layer in own_deltas(built):
            owners[layer.digest].add(built.id)
    found = (
        LayerStorage(
            digest=digest,
            size=size_of(layer),
            images=len(holders[digest]),
            packages=tuple(sorted(names[unit] for unit in layer.units)),
            delta_of=tuple(sorted(owners[digest])),
        )
        for digest, layer in layers.items()
    )
    return tuple(sorted(found, key=lambda one: (-one.size.uncompressed, one.digest)))


def _packages(
    fleet: Fleet, layers: _Layers, holders: _Holders, units: _Units
) -> tuple[PackageStorage, ...]:
    refs = {unit.key: unit for built in fleet.members().values() for unit in built.units}
    images: defaultdict[str, set[ImageId]] = defaultdict(set)
    stored: Counter[str] = Counter()
    for digest, layer in layers.items():
        for unit in layer.units:
            images[unit].update(holders[digest])
            stored[unit] += 1
    found = (
        PackageStorage(
            name=refs[key].name,
            version=refs[key].version,
            size=units[key],
            images=len(images[key]),
            stored=stored[key],
        )
        for key in stored
    )
    return tuple(sorted(found, key=lambda one: (-one.size.uncompressed, one.name, one.version)))


def _documents(fleet: Fleet) -> int:
    """Return the bytes of all manifests and configurations."""
    manifests = {image.manifest: image.manifest_size for image in fleet.images}
    configs = {image.config: fleet.configs[image.config] for image in fleet.images}
    return sum(manifests.values()) + sum(configs.values())


def _node(images: Iterable[Built]) -> NodeStorage:
    """Return what the chains of all images hold, with chain ids as OCI's config.md has them."""
    chains: dict[Digest, Layer] = {}
    for image in images:
        chain: Digest | None = None
        for layer in image.layers:
            chain = Digest.of(f"{chain} {layer.diff_id}".encode()) if chain else layer.diff_id
            chains[chain] = layer
    return NodeStorage(
        uncompressed=sum(layer.apparent for layer in chains.values()),
        disk=sum(layer.disk for layer in chains.values()),
    )
