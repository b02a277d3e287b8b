"""What is to be fetched, and what can come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lamina.errors import Fault, LaminaError, NetworkError, StoreError
from lamina.model.digest import Digest
from lamina.model.url import without_credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to be fetched, and what it must be, as far as that is known."""

    url: str  # http:, https: or file:
    digest: Digest | None  # `None`: it is seen for the first time
    size: int | None  # bytes
    path: Path
    remedies: Mapping[Cause, str] = field(default_factory=lambda: REMEDIES)

    def __str__(self) -> str:
        """Print what the file must be."""
        size = "" if self.size is None else f"{self.size} bytes"
        if self.digest is None:
            return size
        return f"{self.digest} ({size})" if size else f"{self.digest}"


class Cause(Enum):
    """Why a file could not be had: decides what to do about it."""

    MISSING = "missing"  # the mirror does not have it
    CONTENT = "content"  # the mirror has something else
    MIRROR = "mirror"  # the mirror cannot be used
    DISK = "disk"  # it could not be written here


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A file that could not be had."""

    download: Download
    cause: Cause
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a mirror is waited for."""

    connect: float = 15.0  # seconds until there is a connection
    silence: float = 20.0  # seconds without a byte
    window: float = 30.0  # seconds over which the pace is measured
    pace: int = 1024  # bytes a second that a mirror must send at least
    attempts: int = 5
    pause: float = 0.5  # seconds before the second attempt, doubled with each


Progress = Callable[[Download, int], None]  # how many bytes of the file are here now

REMEDIES: Mapping[Cause, str] = {
    Cause.MISSING: "the mirror no longer has {file}: run lamina lock --update",
    Cause.CONTENT: "use another mirror; if {file} was replaced there, run lamina lock --update",
    Cause.MIRROR: "check the network and [mirrors] in lamina.toml; "
    "the next run goes on where this one stopped",
    Cause.DISK: "make room for the store, or give another one with --store",
}


def is_there(download: Download) -> bool:
    """Tell whether the file has its name and size; it got the name after the check."""
    if not download.path.is_file():
        return False
    return download.size in (None, download.path.stat().st_size)


def fetch_error(failures: Sequence[Failure]) -> LaminaError:
    """Return one error for all `failures`, each with its remedy."""
    faults = tuple(
        Fault(
            without_credentials(failure.download.url),
            failure.message,
            failure.download.remedies[failure.cause].format(file=_name(failure.download)),
        )
        for failure in failures
    )
    if all(failure.cause is Cause.DISK for failure in failures):
        return StoreError(*faults)
    return NetworkError(*faults)


def _name(download: Download) -> str:
    """Return what the mirror calls the file: in a store it is named by its digest."""
    return unquote(urlsplit(download.url).path.rpartition("/")[2])
