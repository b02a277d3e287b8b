"""What the store knows of images: a record for each key, and tags in the index of the layout.

The index alone says which image is current: one file, replaced in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lamina.errors import Fault, StoreError
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.oci.claims import replace_file
from lamina.oci.descriptor import MANIFEST_TYPE, REF_NAME, Descriptor
from lamina.oci.disk import disk_faults
from lamina.oci.layout import Layout
from lamina.store.built_json import from_json, to_json

ANNOTATION = "org.lamina."
"""What the names of lamina's own annotations in the index begin with."""

_PREVIOUS = "previous"
_HEALS = "it is built again by the next build"
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The images that are tagged, and what is wrong with those that cannot be used."""

    images: Mapping[ImageId, Built]
    damaged: Mapping[ImageId, Fault]
    index: Fault | None  # what is wrong with the index itself

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that is wrong, sorted."""
        index = (self.index,) if self.index else ()
        return tuple(sorted((*index, *self.damaged.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records in `folder`, of images whose blobs lie in `layout`."""

    folder: Path
    deltas: Path
    work: Path
    layout: Layout

    def keys(self) -> tuple[Digest, ...]:
        """Return the keys of all records, sorted."""
        found = []
        for path in self.folder.iterdir():
            with suppress(ValueError):  # nothing of ours
                found.append(Digest(path.name.removesuffix(_SUFFIX)))
        return tuple(sorted(found))

    def path(self, key: Digest) -> Path:
        """Return where the record of a key lies if it is there."""
        return self.folder / f"{key.hex}{_SUFFIX}"

    def save(self, built: Built) -> None:
        """Record an image under its key."""
        with disk_faults(self.folder.parent):
            replace_file(self.path(built.key), to_json(built), aside=self.work)

    def read(self, key: Digest) -> Built | Fault | None:
        """Return the record of a key, or why it cannot be read; blobs are not looked at."""
        try:
            built = from_json(self.path(key).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return Fault(key.short, f"the record of the image is damaged: {error}", _HEALS)
        if built.key != key:
            return Fault(key.short, f"the record is that of key {built.key.short}", _HEALS)
        return built

    def find(self, key: Digest) -> Built | Fault | None:
        """Return the image with this key if all that belongs to it is there, or why not."""
        return self._find(key, self.layout.blob_size)

    def current(self, distro: str) -> Current:
        """Return the tagged images of `distro`.

        An image whose record or blobs are damaged or missing is none of them; what is wrong with
        it is in `faults`. Blobs are looked for by name and size only.
        """
        try:
            index = self.layout.index()
        except StoreError as error:
            return Current(images={}, damaged={}, index=error.faults[0])
        size = cache(self.layout.blob_size)  # images share most of their layers
        images: dict[ImageId, Built] = {}
        damaged: dict[ImageId, Fault] = {}
        for image, key, manifest in sorted(set(_tagged(index, distro)), key=str):
            found = self._find(key, size)
            if isinstance(found, Built) and found.manifest == manifest:
                images[image] = replace(found, id=image)
            else:
                message = found.message if isinstance(found, Fault) else "its record is missing"
                damaged[image] = Fault(str(image), message, _HEALS)
        return Current(images=images, damaged=damaged, index=self.layout.index_fault())

    def previous(self, distro: str, image: ImageId) -> Digest | None:
        """Return the key of what was current before the present image, with another manifest.

        Raises `StoreError` when the index is damaged.
        """
        for descriptor in self.layout.index():
            if _names(descriptor, distro, image):
                with suppress(ValueError):  # there is none
                    return Digest.parse(descriptor.annotations.get(ANNOTATION + _PREVIOUS, ""))
        return None

    def tag(
        self, distro: str, built: Built, names: Sequence[str], annotations: Mapping[str, str]
    ) -> None:
        """Let `names` and no others mean `built`, and let it be current, in one step.

        The index keeps which image it takes the place of; see `previous`.
        """

        def changed(before: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
            replaced = _replaced(before, distro, built)
            new = _descriptors(distro, built, names, {**annotations, _PREVIOUS: replaced})
            taken = {descriptor.annotations[REF_NAME] for descriptor in new}
            kept = (
                descriptor
                for descriptor in before
                if descriptor.annotations.get(REF_NAME) not in taken
                and not _names(descriptor, distro, built.id)
            )
            return (*kept, *new)

        self.layout.update_index(changed)

    def _find(self, key: Digest, size: Callable[[Digest], int | None]) -> Built | Fault | None:
        """Return the image with this key, or what is missing of it."""
        built = self.read(key)
        if not isinstance(built, Built):
            return built
        wanted: dict[Digest, int | None] = {layer.digest: layer.size for layer in built.layers}
        wanted[built.manifest] = built.manifest_size
        wanted[built.config] = None
        for digest, due in wanted.items():
            there = size(digest)
            if there is None:
                return Fault(str(built.id), f"its blob {digest} is missing", _HEALS)
            if due not in (None, there):
                return Fault(str(built.id), f"its blob {digest} is damaged", _HEALS)
        if not (self.deltas / built.manifest.hex).is_dir():
            return Fault(str(built.id), "its delta is missing", _HEALS)
        return built


def _descriptors(
    distro: str, built: Built, names: Sequence[str], annotations: Mapping[str, str]
) -> tuple[Descriptor, ...]:
    """Return the index's descriptors of an image, one for each name."""
    said = {
        "distro": distro,
        "image": str(built.id),
        "key": str(built.key),
        "type": str(built.id.type or ""),
        "parent": str(built.parent or ""),
        **annotations,
    }
    own = {ANNOTATION + name: text for name, text in said.items() if text}
    return tuple(
        Descriptor(
            media_type=MANIFEST_TYPE,
            digest=built.manifest,
            size=built.manifest_size,
            annotations={**own, REF_NAME: name},
        )
        for name in sorted(set(names))
    )


def _replaced(before: Sequence[Descriptor], distro: str, built: Built) -> str:
    """Return the key of the image that `built` takes the place of, or took it once; else empty."""
    for descriptor in before:
        if _names(descriptor, distro, built.id):
            same = descriptor.digest == built.manifest
            return descriptor.annotations.get(ANNOTATION + (_PREVIOUS if same else "key"), "")
    return ""


def _names(descriptor: Descriptor, distro: str, image: ImageId) -> bool:
    """Tell whether a descriptor tags this image."""
    said = descriptor.annotations
    return said.get(f"{ANNOTATION}distro") == distro and said.get(f"{ANNOTATION}image") == str(
        image
    )


def _tagged(index: Sequence[Descriptor], distro: str) -> Iterator[tuple[ImageId, Digest, Digest]]:
    """Yield image, key and manifest of the descriptors that tag images of `distro`."""
    for descriptor in index:
        said = descriptor.annotations
        image, key = said.get(f"{ANNOTATION}image"), said.get(f"{ANNOTATION}key")
        if said.get(f"{ANNOTATION}distro") == distro and image and key:
            with suppress(ValueError):  # not lamina's own
                yield ImageId.parse(image), Digest.parse(key), descriptor.digest
