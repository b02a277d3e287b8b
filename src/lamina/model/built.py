"""What the store knows of an image that was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef

ENGINE = 6  # raised whenever the engine makes other content of the same inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one unit takes of a layer, as it would of any other: its entries without directories."""

    unit: str  # its key
    size: int  # compressed bytes
    apparent: int  # bytes of tar


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An OCI layer: compressed and uncompressed, and what it holds."""

    diff_id: Digest  # of the uncompressed tar
    digest: Digest  # of the blob
    size: int  # bytes of the blob
    apparent: int  # bytes of the uncompressed tar
    disk: int  # bytes that its files take on a file system with blocks of 4 KiB
    media_type: str
    parts: tuple[Part, ...] = ()  # one for each unit, bottom first; none in a delta

    @property
    def units(self) -> tuple[str, ...]:
        """The keys of the units that it holds; empty for a delta."""
        return tuple(part.unit for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that an image's content depends on, each part under its own name.

    The key is the digest of all of it; the parts are kept so that a plan can say what changed.
    """

    engine: int
    codec: str  # what compresses the layers, with its level and version
    parent: Digest | None  # the parent's manifest
    calls: Digest  # the order in which dpkg is called
    layers: Digest  # which of its packages share layers
    units: Mapping[str, str]  # package name to `version sha256:...`
    files: Mapping[str, str]  # path in the image to digest, mode and owner
    entry: Digest  # users, steps, removals, path rules, runtime configuration

    def key(self) -> Digest:
        """Return the image's key: the digest of all inputs."""
        return Digest.of(
            canonical_json(
                {
                    "engine": self.engine,
                    "codec": self.codec,
                    "parent": str(self.parent) if self.parent else None,
                    "calls": str(self.calls),
                    "layers": str(self.layers),
                    "units": dict(self.units),
                    "files": dict(self.files),
                    "entry": str(self.entry),
                }
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image in the store."""

    id: ImageId
    key: Digest
    inputs: Inputs
    parent: Digest | None  # the parent's manifest
    manifest: Digest
    manifest_size: int
    config: Digest
    units: tuple[UnitRef, ...]  # its own, in the order in which they were unpacked
    trees: Mapping[str, Digest]  # of its units that are lower directories, by key, topmost first
    layers: tuple[Layer, ...]  # the parent's first
    own_layers: int  # how many of the last layers are its own
    epoch: int  # seconds since 1970: the newest time among its inputs
    seconds: float  # how long the build took, for the next schedule
    tested: Digest | None = None  # of the tests that it passed
