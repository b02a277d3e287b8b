"""Damage to built images, found before they are used: by reading all, or by the seals alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from lamina.build.lineage import finder, lineage
from lamina.errors import Fault, StoreError
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.store.integrity import damaged_blobs
from lamina.store.store import Store

Check = Callable[[Built], Sequence[Fault]]  # what is wrong with an image; that is removed
Damages = Mapping[ImageId, Sequence[Fault]]


def find_damages(images: Iterable[Built], checks: Sequence[Check]) -> Damages:
    """Return what the checks find wrong with each image, and remove it: a build makes it again."""
    found = {built.id: [fault for check in checks for fault in check(built)] for built in images}
    return {image: faults for image, faults in found.items() if faults}


def blob_check(store: Store) -> Check:
    """Return the check for what is handed to others: all blobs are read."""
    sound: set[Digest] = set()
    return lambda built: damaged_blobs(built, store.layout, sound)


def mount_check(store: Store, current: Mapping[ImageId, Built]) -> Check:
    """Return the check for what is mounted: the deltas of an image and of all it stands on."""
    find = finder(store, current)

    def check(built: Built) -> Sequence[Fault]:
        try:
            line = lineage(built, find)
        except StoreError as error:
            return error.faults
        return [fault for each in line for fault in _delta_faults(each, store)]

    return check


def changed_delta(image: ImageId) -> Fault:
    """Return the fault of an image whose delta is not as it was when it was made."""
    return Fault(str(image), f"the delta of {image} was changed in the store")


def _delta_faults(built: Built, store: Store) -> Sequence[Fault]:
    if store.delta_is_intact(built.manifest):
        return ()
    store.discard_delta(built.manifest)
    return (changed_delta(built.id),)
