"""Whom to trust: the system's certificate authorities, one's own, and client certificates.

Source: containers-certs.d(5): in a folder named HOST:PORT, `*.crt` are authorities, `NAME.cert`
with `NAME.key` is who one is.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lamina.errors import UsageError
from lamina.registry.values import Access


def certificate_folders(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders in which container tools look for registries' certificates."""
    home = environment.get("HOME")
    own = (Path(home) / ".config/containers/certs.d",) if home else ()
    return (*own, Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


def trust(access: Access, host: str) -> ssl.SSLContext:
    """Return what TLS needs for the registry `host`, with its port.

    Raises `UsageError` for a certificate that cannot be read.
    """
    context = ssl.create_default_context()  # what this system trusts
    for authority in _authorities(access, host):
        with _faults(authority):
            context.load_verify_locations(authority)
    for certificate in _files(access, host, "*.cert"):
        with _faults(certificate):
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


@contextmanager
def _faults(file: Path) -> Iterator[None]:
    """Say of which file it is that it cannot be used."""
    try:
        yield
    except OSError as error:  # among them every error of TLS
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError.one(
            f"no certificate to be used: {reason or error}",
            place=str(file),
            remedy="give a file in PEM form",
        ) from error


def _authorities(access: Access, host: str) -> Iterator[Path]:
    if access.ca:
        yield access.ca
    yield from _files(access, host, "*.crt")


def _files(access: Access, host: str, pattern: str) -> Iterator[Path]:
    for folder in access.certificates:
        yield from sorted((folder / host).glob(pattern))
