"""The door to registries: what one has, and what is sent there, got from it or deleted in it.

A client of the OCI distribution specification 1.1. Passwords and certificates are those of
container tools; failures are tried again, and a registry that asks for time gets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.model.reference import CLEAR
from lamina.registry.certificates import certificate_folders
from lamina.registry.passwords import auth_files
from lamina.registry.values import Access, Manifest, Patience, Sent, StoppedError, Traffic

if TYPE_CHECKING:
    from lamina.registry.client import Registry

__all__ = [
    "Access",
    "Manifest",
    "Patience",
    "Sent",
    "StoppedError",
    "Traffic",
    "access_of",
    "open_registry",
]


def access_of(environment: Mapping[str, str], *, ca: Path | None = None) -> Access:
    """Return where container tools keep passwords and certificates in this environment."""
    return Access(
        auth_files=auth_files(environment),
        certificates=certificate_folders(environment),
        ca=ca,
    )


def open_registry(host: str, access: Access) -> Registry:
    """Return the registry at `host` (`HOST` or `HOST:PORT`), to be used in a `with` block.

    It is spoken to over TLS, unless `http://` stands in front. Nothing is sent yet.
    Raises `UsageError` for a certificate that cannot be read.
    """
    # Loaded here, because an HTTP client takes a third of a second and most runs need none.
    from lamina.registry.client import Registry

    return Registry(host.removeprefix(CLEAR), access, secure=not host.startswith(CLEAR))
