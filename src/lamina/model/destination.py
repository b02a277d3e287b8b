"""Where an image is exported to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lamina.errors import UsageError
from lamina.model.spelling import did_you_mean


class Transport(StrEnum):
    """What takes an image; but for `rootfs`, the words are those of containers-transports(5)."""

    ROOTFS = "rootfs"
    OCI = "oci"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_DAEMON = "docker-daemon"
    CONTAINERS_STORAGE = "containers-storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A transport, and a place that it understands: a path or a reference."""

    transport: Transport
    place: str

    def __str__(self) -> str:
        """Print as it is written on the command line."""
        return f"{self.transport}:{self.place}"

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read `TRANSPORT:PLACE`; raise `UsageError` for anything else."""
        word, colon, place = text.partition(":")
        if word not in tuple(Transport):
            otherwise = f"write TRANSPORT:PLACE, with one of {', '.join(Transport)}"
            remedy = did_you_mean(word, Transport, otherwise=otherwise)
            raise UsageError.one(f"no transport '{word}'", place=text, remedy=remedy)
        if not colon or not place:
            raise UsageError.one(
                f"'{word}' has no place", place=text, remedy=f"write '{word}:PLACE'"
            )
        return cls(transport=Transport(word), place=place)
