"""Whether a record from elsewhere tells of the image that a build here would make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.model.built import Built, Inputs
from lamina.model.digest import Digest
from lamina.model.image import Image
from lamina.model.lock import UnitRef
from lamina.oci.image import make_config, make_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An image that is to be had, as catalogue and lock have it."""

    image: Image
    parent: Built | None
    inputs: Inputs
    units: Sequence[UnitRef]  # its own, in the order in which they are unpacked
    architecture: str  # by any distribution's word: `amd64`

    @property
    def key(self) -> Digest:
        """The key that its record must have."""
        return self.inputs.key()


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What an image consists of beside its layers."""

    config: bytes
    manifest: bytes


def documents_of(wanted: Wanted, built: Built) -> Documents:
    """Return configuration and manifest of the image that a record tells of.

    They are not taken from elsewhere, but made here, as a build would make them, of the record's
    layers. Raises `ValueError` when they are not those that the record names, or when anything
    else in it disagrees with what is wanted.
    """
    if built.key != wanted.key or built.inputs.key() != wanted.key:
        raise ValueError("its key is another one")
    over = wanted.parent.layers if wanted.parent else ()
    parent = wanted.parent.manifest if wanted.parent else None
    if built.parent != parent or built.layers[: len(built.layers) - built.own_layers] != over:
        raise ValueError("it stands on another parent")
    if tuple(built.units) != tuple(wanted.units):
        raise ValueError("its packages are not those of the lock")
    if not built.trees.keys() <= {unit.key for unit in built.units}:
        raise ValueError("it has trees of packages that are not its own")
    config = make_config(
        wanted.image.runtime,
        layers=built.layers,
        epoch=built.epoch,
        architecture=wanted.architecture,
    )
    manifest = make_manifest(
        config, built.layers, title=str(wanted.image.id), epoch=built.epoch, base=parent
    )
    named = (built.config, built.manifest, built.manifest_size)
    if named != (Digest.of(config), Digest.of(manifest), len(manifest)):
        raise ValueError("its manifest is not that of an image with this key")
    return Documents(config=config, manifest=manifest)
