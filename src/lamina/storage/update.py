"""What it costs to come from one lock to another: the layers that change, and their bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import Lock, LockedImage, UnitRef
from lamina.storage.fleet import own_deltas, size_of
from lamina.storage.known import Content, Known
from lamina.storage.report import NOTHING, Size, total

_REGROUPED = "grouped differently"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerUpdate:
    """A layer that is new to whoever has those of the earlier lock."""

    group: str  # key of `Lock.layers`; empty for a delta
    images: tuple[ImageId, ...]  # whose own layer it is, sorted
    size: Size
    estimated: bool  # it was not built yet as it is locked
    causes: tuple[str, ...]  # `openssl 3.5.1 -> 3.5.2`


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What is to be stored and sent; groups in the lock's order, then deltas by image."""

    images: tuple[ImageId, ...]  # that are built again, parents first
    layers: tuple[LayerUpdate, ...]
    documents: int  # bytes of the present manifests and configurations of these images

    @property
    def size(self) -> Size:
        """What all the layers weigh."""
        return total(layer.size for layer in self.layers)

    @property
    def estimated(self) -> bool:
        """Whether any layer was not built yet as it is locked."""
        return any(layer.estimated for layer in self.layers)


def make_update(before: Lock, after: Lock, known: Known) -> Update:
    """Return what an update from the lock `before` to `after` adds to a registry or a node.

    A layer is new when no image of `before` has one with the same units. An image is built again
    when what is locked of it changes, or its parent is. A delta counts, with its present size,
    where packages of its image or below it change, although it may come out the same. A unit
    that is not built counts with the size of its package file.
    """
    change = _Change(before=before, after=after, earlier=before.by_id(), known=known)
    rebuilt = change.reaches(_recipe)
    there = [known.images[image] for image in rebuilt if image in known.images]
    return Update(
        images=rebuilt,
        layers=(*_groups(change), *_deltas(change)),
        documents=sum(built.manifest_size + known.configs[built.config] for built in there),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """Two locks, and what is known of the images that are built."""

    before: Lock
    after: Lock
    earlier: Mapping[ImageId, LockedImage]  # of `before`
    known: Known

    def reaches(self, recipe: Callable[[Lock, LockedImage], object]) -> tuple[ImageId, ...]:
        """Return the images whose recipe changes, and all below them, parents first."""
        found: dict[ImageId, None] = {}
        for image in self.after.images:
            was = self.earlier.get(image.id)
            same = was is not None and recipe(self.before, was) == recipe(self.after, image)
            if not same or image.parent in found:
                found[image.id] = None
        return tuple(found)

    def layers(self, lock: Lock, image: LockedImage) -> Iterator[tuple[str, tuple[UnitRef, ...]]]:
        """Yield the image's own groups in one of the locks, with the units of their layers."""
        elsewhere = self.known.in_delta(image.id)
        for group, keys in zip(image.layers, lock.groups_of(image), strict=True):
            units = tuple(lock.units[key] for key in keys)
            shared = tuple(one for one in units if (one.name, one.architecture) not in elsewhere)
            if shared:
                yield group, shared

    def causes(self, image: LockedImage, units: Iterable[UnitRef]) -> Iterator[str]:
        """Yield how the packages of an image's layer have moved."""
        was = self.earlier.get(image.id)
        if was is None:
            yield f"image {image.id} added"
            return
        old, new = _own(self.before, was), _own(self.after, image)
        names = {self.after.name_of(unit): unit for unit in units}
        for name, unit in names.items():
            yield from _move(old.get(name), unit)
        for group in was.layers:
            members = self.before.layers[group]
            if not names.keys().isdisjoint(members):
                gone = (old[name] for name in members if name not in new)
                yield from (f"{unit.name} {unit.version} removed" for unit in gone)


def _move(old: UnitRef | None, new: UnitRef) -> Iterator[str]:
    if old is None:
        yield f"{new.name} {new.version} added"
    elif old.version != new.version:
        yield f"{new.name} {old.version} -> {new.version}"
    elif old.identity != new.identity:
        yield f"{new.name} {new.version}, another file"


def _content(lock: Lock, image: LockedImage) -> tuple[object, ...]:
    """Return what an image's delta depends on."""
    files = tuple(unit.identity for unit in lock.units_of(image))
    return image.parent, image.bootstrap, image.calls, files


def _recipe(lock: Lock, image: LockedImage) -> tuple[object, ...]:
    """Return what an image's manifest depends on: its layers, too."""
    return *_content(lock, image), tuple(lock.layers[group] for group in image.layers)


def _groups(change: _Change) -> Iterator[LayerUpdate]:
    """Yield the groups' layers that no image of the earlier lock has."""
    there = {
        _files(units)
        for image in change.before.images
        for _, units in change.layers(change.before, image)
    }
    images: defaultdict[tuple[str, Content], list[LockedImage]] = defaultdict(list)
    units_of: dict[Content, tuple[UnitRef, ...]] = {}
    for image in change.after.images:
        for group, units in change.layers(change.after, image):
            files = _files(units)
            if files not in there:
                images[group, files].append(image)
                units_of[files] = units
    places = {group: place for place, group in enumerate(change.after.layers)}
    for group, files in sorted(images, key=lambda one: (places[one[0]], sorted(one[1]))):
        units, having = units_of[files], images[group, files]
        size = change.known.layer_size(units)
        causes = {cause for image in having for cause in change.causes(image, units)}
        yield LayerUpdate(
            group=group,
            images=tuple(sorted(image.id for image in having)),
            size=size or change.known.estimate(units),
            estimated=size is None,
            causes=tuple(sorted(causes)) or (_REGROUPED,),
        )


def _deltas(change: _Change) -> Iterator[LayerUpdate]:
    """Yield the deltas of the images whose content changes; of one not built, without a size."""
    after, known = change.after, change.known
    changed = frozenset(change.reaches(_content))
    built = _as_locked(after, known)
    equal: defaultdict[object, list[LockedImage]] = defaultdict(list)
    for image in sorted((one for one in after.images if one.id in changed), key=_id):
        there = known.images.get(image.id)
        layers = own_deltas(there) if there else ()
        if layers or there is None:
            equal[layers or image.id].append(image)
    for images in equal.values():
        first = known.images.get(images[0].id)
        causes = {cause for image in images for cause in _delta_causes(change, image, changed)}
        yield LayerUpdate(
            group="",
            images=tuple(image.id for image in images),
            size=total(map(size_of, own_deltas(first))) if first else NOTHING,
            estimated=any(image.id not in built for image in images),
            causes=tuple(sorted(causes)) or ("installed in another order",),
        )


def _delta_causes(
    change: _Change, image: LockedImage, changed: Collection[ImageId]
) -> Iterator[str]:
    yield from change.causes(image, change.after.units_of(image))
    if image.parent in changed:
        yield f"parent {image.parent} changed"


def _as_locked(lock: Lock, known: Known) -> frozenset[ImageId]:
    """Return the images that are built, with all that they stand on, from the lock's units."""
    found: set[ImageId] = set()
    for image in lock.images:
        built = known.images.get(image.id)
        on_it = image.parent is None or image.parent in found
        if on_it and built and _identities(built.units) == _identities(lock.units_of(image)):
            found.add(image.id)
    return frozenset(found)


def _id(image: LockedImage) -> ImageId:
    return image.id


def _own(lock: Lock, image: LockedImage) -> Mapping[str, UnitRef]:
    return {lock.name_of(unit): unit for unit in lock.units_of(image)}


def _identities(units: Iterable[UnitRef]) -> tuple[Digest, ...]:
    """Return what tells units apart, wherever they come from."""
    return tuple(unit.identity for unit in units)


def _files(units: Iterable[UnitRef]) -> Content:
    return frozenset(unit.identity for unit in units)
