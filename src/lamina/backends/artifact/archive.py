"""An artifact's archive, whichever form it has, as entries with their content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.backends.artifact.expansion import damage_told, expanded
from lamina.backends.artifact.zipped import read_zip
from lamina.model.artifact import Packing
from lamina.oci.entry import Entry
from lamina.oci.untar import Limits, read_entries

Members = Iterator[tuple[Entry, Iterator[bytes]]]

# Of a release no more than a few thousand files; programs shrink to a third, texts to a twentieth.
_ENTRIES = 100_000
_RATIO = 200
_SMALL = 256 << 20  # bytes that are no bomb, however small the file
_LARGEST = 32 << 30


def limits_of(file: Path) -> Limits:
    """Return what the archive in a file may grow to before it is taken for a bomb."""
    size = max(_SMALL, _RATIO * file.stat().st_size)
    return Limits(entries=_ENTRIES, size=min(size, _LARGEST))


@contextmanager
def opened(file: Path, packing: Packing, limits: Limits) -> Iterator[Members]:
    """Give the members of an archive, each with its content, to be read before the next.

    The block raises `RefusedError` for what is no whole archive of a known form, and beyond
    `limits`.
    """
    with file.open("rb") as content, damage_told():
        if packing is Packing.ZIP:
            yield read_zip(content, limits)
        else:
            yield read_entries(expanded(packing, content), limits)
