"""What a layer holds, listed without unpacking it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from isal import igzip

from lamina.model.digest import Digest
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.extract import damage_told
from lamina.oci.untar import Limits, read_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry of a layer, and the digest of its content if it is a file."""

    entry: Entry
    content: Digest | None


def list_layer(blob: BinaryIO, *, limits: Limits = Limits()) -> tuple[Listed, ...]:  # noqa: B008
    """Return the entries of a gzip layer, in its order.

    Raises `StoreError` for a damaged or hostile archive, and beyond `limits`.
    """
    stream = igzip.IGzipFile(fileobj=blob)  # type: ignore[no-untyped-call]
    with damage_told():
        return tuple(_listed(entry, content) for entry, content in read_entries(stream, limits))


def _listed(entry: Entry, content: Iterator[bytes]) -> Listed:
    if entry.kind is not EntryKind.FILE:
        return Listed(entry=entry, content=None)
    sha256 = hashlib.sha256()
    for chunk in content:
        sha256.update(chunk)
    return Listed(entry=entry, content=Digest(sha256.hexdigest()))
