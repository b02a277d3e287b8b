"""What a registry is spoken to with, what comes from it, and what that cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lamina.model.digest import Digest
from lamina.oci.descriptor import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a registry is waited for, and how often it is asked again."""

    connect: float = 15.0  # seconds until there is a connection
    silence: float = (
        120.0  # seconds without a byte: a registry reads a large blob before it answers
    )
    attempts: int = 10
    first_attempts: int = 3  # of a registry that has never answered: it may be misspelt
    pause: float = 0.5  # seconds before the second attempt, doubled with each
    longest_pause: float = 10.0  # seconds
    longest_wish: float = 300.0  # seconds that a registry may ask to be left alone for


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to get into registries: where passwords and certificates lie on this machine."""

    auth_files: tuple[Path, ...] = ()  # the first that knows the registry counts
    certificates: tuple[Path, ...] = ()  # folders in the form of containers-certs.d(5)
    ca: Path | None = None  # a certificate authority that is trusted besides the system's
    patience: Patience = field(default_factory=Patience)
    tell: Callable[[str], None] = lambda _message: None  # takes what a person should know of


class StoppedError(Exception):
    """The run is being interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as a registry keeps it."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> Digest:
        """The digest by which it is known."""
        return Digest.of(self.content)

    def blobs(self) -> tuple[Descriptor, ...]:
        """Return configuration and layers; none of an index.

        Raises `ValueError` when it is no manifest.
        """
        try:
            raw = json.loads(self.content)
            named = [raw["config"]] if "config" in raw else []
            return tuple(Descriptor.from_json(one) for one in (*named, *raw.get("layers", ())))
        except (AttributeError, TypeError, KeyError) as error:
            raise ValueError(f"not a manifest: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What was sent to a registry, attempts that failed included."""

    requests: int = 0
    repeated: int = 0  # of these, because the one before had failed
    blob_bytes: int = 0
    manifest_bytes: int = 0


Sent = Callable[[int], None]  # takes how many bytes of a blob have been sent; anew after a failure
