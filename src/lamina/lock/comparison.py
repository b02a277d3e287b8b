"""How two locks differ: images, packages, layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lamina.model.amounts import size_text
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import Lock, LockedImage, UnitRef

_NAMED = 3  # images that a line names before it counts the rest

_Content = tuple[str, tuple[tuple[str, Digest], ...]]  # a layer's id, its units and their files


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package that two locks have differently; a version is empty where there is none."""

    package: str
    old: str
    new: str
    images: tuple[ImageId, ...]  # of whose own packages it is
    below: tuple[ImageId, ...]  # all others that have it from those

    def __str__(self) -> str:
        """Print as `openssl 3.5.1 -> 3.5.2: base, and 12 images below it`."""
        return f"{self.package} {self._move()}: {_named(self.images)}{_counted(self)}"

    def _move(self) -> str:
        if not self.old:
            return f"{self.new} added"
        if not self.new:
            return f"{self.old} removed"
        if self.old == self.new:
            return f"{self.new}, another file"
        return f"{self.old} -> {self.new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """A layer that the new lock has and the old one has not, at least not with this content."""

    layer: str  # its id
    packages: tuple[str, ...]
    size: int | None  # bytes of the files; None where one is not known
    known: bool  # whether the old lock has a layer of these packages, at other versions
    images: tuple[ImageId, ...]  # of whose own layers it is

    def __str__(self) -> str:
        """Print as `layer 0123456789ab changed, 4 packages, 1.2 MB: base`."""
        state = "changed" if self.known else "new"
        size = "size not known" if self.size is None else size_text(self.size)
        return (
            f"layer {self.layer} {state}, {_count(len(self.packages), 'package')}, "
            f"{size}: {_named(self.images)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChange:
    """What moved from one lock to another."""

    added: tuple[ImageId, ...]
    removed: tuple[ImageId, ...]
    packages: tuple[PackageChange, ...]
    layers: tuple[LayerChange, ...]
    layer_budget: tuple[int, int]  # the old one and the new one

    @property
    def layer_bytes(self) -> int:
        """How many bytes the layers have that the old lock has not, as far as is known."""
        return sum(layer.size or 0 for layer in self.layers)

    @property
    def touched(self) -> tuple[ImageId, ...]:
        """Every image of the new lock that differs, sorted."""
        changed = {image for change in self.packages for image in (*change.images, *change.below)}
        changed.update(image for layer in self.layers for image in layer.images)
        return tuple(sorted({*self.added, *changed} - set(self.removed), key=str))

    def __str__(self) -> str:
        """Print a line for each change; nothing for none."""
        return "\n".join(
            [
                *(f"image {image} added" for image in self.added),
                *(f"image {image} removed" for image in self.removed),
                *(str(change) for change in self.packages),
                *self._budget(),
                *(str(layer) for layer in self.layers),
                *self._total(),
            ]
        )

    def _budget(self) -> Iterator[str]:
        before, after = self.layer_budget
        if before != after:
            yield f"layer budget {before} -> {after}"

    def _total(self) -> Iterator[str]:
        if self.layers:
            new = sum(not layer.known for layer in self.layers)
            parts = {"changed": len(self.layers) - new, "new": new}
            told = " and ".join(f"{count} {word}" for word, count in parts.items() if count)
            plural = "layer" if len(self.layers) == 1 else "layers"
            least = "at least " * any(layer.size is None for layer in self.layers)
            yield f"{told} {plural}, {least}{size_text(self.layer_bytes)} of packages"


def compare_locks(old: Lock, new: Lock) -> LockChange:
    """Return what moved between two locks, by package name.

    Packages of images that only one of the locks has are not listed: the image itself is.
    """
    before, after = old.by_id(), new.by_id()
    moved: dict[tuple[str, str, str], list[ImageId]] = defaultdict(list)
    for image in sorted(before.keys() & after.keys(), key=str):
        for move in _moves(_units_by_name(old, before[image]), _units_by_name(new, after[image])):
            moved[move].append(image)
    changes = (
        PackageChange(
            package=name,
            old=was,
            new=is_,
            images=tuple(images),
            below=_descendants(new, images),
        )
        for (name, was, is_), images in sorted(moved.items())
    )
    return LockChange(
        added=tuple(sorted(after.keys() - before.keys(), key=str)),
        removed=tuple(sorted(before.keys() - after.keys(), key=str)),
        packages=tuple(changes),
        layers=tuple(_new_layers(old, new)),
        layer_budget=(old.layer_budget, new.layer_budget),
    )


def _new_layers(old: Lock, new: Lock) -> Iterator[LayerChange]:
    known = set(_layers(old))
    for content, images in _layers(new).items():
        if content not in known:
            layer, keys = content
            yield LayerChange(
                layer=layer,
                packages=new.layers[layer],
                size=_sum(new.units[key].size for key, _ in keys),
                known=layer in old.layers,
                images=tuple(sorted(images, key=str)),
            )


def _sum(sizes: Iterable[int | None]) -> int | None:
    found = 0
    for size in sizes:
        if size is None:
            return None
        found += size
    return found


def _layers(lock: Lock) -> Mapping[_Content, list[ImageId]]:
    """Return the images that have each layer, bottom first; other versions are another layer."""
    found: defaultdict[_Content, list[ImageId]] = defaultdict(list)
    for image in lock.images:
        units = {lock.name_of(unit): unit for unit in lock.units_of(image)}
        for layer in image.layers:
            held = [units[name] for name in lock.layers[layer]]
            found[layer, tuple((unit.key, unit.identity) for unit in held)].append(image.id)
    places = {layer: place for place, layer in enumerate(lock.layers)}
    return dict(sorted(found.items(), key=lambda item: (places[item[0][0]], item[0][1])))


def _units_by_name(lock: Lock, image: LockedImage) -> Mapping[str, UnitRef]:
    return {lock.name_of(unit): unit for unit in lock.units_of(image)}


def _moves(
    before: Mapping[str, UnitRef], after: Mapping[str, UnitRef]
) -> Iterator[tuple[str, str, str]]:
    for name in sorted(before.keys() | after.keys()):
        was, is_ = before.get(name), after.get(name)
        if (was and was.identity) != (is_ and is_.identity):
            yield name, was.version if was else "", is_.version if is_ else ""


def _descendants(lock: Lock, images: Collection[ImageId]) -> tuple[ImageId, ...]:
    found = set(images)
    for image in lock.images:  # parents come first
        if image.parent in found:
            found.add(image.id)
    return tuple(sorted(found - set(images), key=str))


def _named(images: Collection[ImageId]) -> str:
    names = [str(image) for image in images]
    rest = len(names) - _NAMED
    if rest <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {rest} more"


def _counted(change: PackageChange) -> str:
    if not change.below:
        return ""
    above = "it" if len(change.images) == 1 else "them"
    return f", and {_count(len(change.below), 'image')} below {above}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
