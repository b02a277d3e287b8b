"""Layers: trees of entries as compressed tar archives."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import isal
from isal import isal_zlib

from lamina.model.built import Layer
from lamina.model.digest import Digest
from lamina.oci.descriptor import GZIP_LAYER_TYPE
from lamina.oci.entry import Entry
from lamina.oci.layout import Layout, NewBlob
from lamina.oci.tar import tar_chunks

# Level 2 is the fastest of ISA-L's that is not stored or fixed Huffman, at 360 MB/s a core, and
# within 2 % of the smallest; zlib at its level 6 is a fifteenth as fast.
_LEVEL = 2
_GZIP = 31  # zlib's window bits: 32 KiB of window, in a gzip frame without time and name

CODEC = f"gzip {_LEVEL} isal {isal.ISAL_VERSION} python-isal {isal.__version__}"
"""What compresses layers: the same tar gives the same blob only with the same codec."""

_AHEAD = 16  # chunks read before they are compressed


def write_layer(
    entries: Iterable[Entry], into: Layout, *, mtime_limit: int, units: Iterable[str] = ()
) -> Layer:
    """Put the layer that holds `entries` into the layout and return it.

    Times after `mtime_limit` (seconds since 1970) become that. `units` are the keys of the units
    whose trees it holds. The same entries give the same bytes. Raises `StoreError` as
    `tar_chunks` does, and when the disk is full.
    """
    with into.new_blob() as blob:
        stream = _Stream(blob)
        _feed(stream, entries, mtime_limit)
        return stream.end(tuple(units))


class _Stream:
    """Compresses and digests a tar stream."""

    def __init__(self, blob: NewBlob) -> None:
        self._blob = blob
        self._tar = hashlib.sha256()
        self._apparent = 0
        self._deflate = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)

    def add(self, chunk: bytearray) -> None:
        """Take the next piece of the tar."""
        self._tar.update(chunk)
        self._apparent += len(chunk)
        self._blob.write(self._deflate.compress(chunk))

    def end(self, units: tuple[str, ...]) -> Layer:
        """Keep the blob and return the layer."""
        self._blob.write(self._deflate.flush())
        return Layer(
            diff_id=Digest(self._tar.hexdigest()),
            digest=self._blob.keep(),
            size=self._blob.size,
            apparent=self._apparent,
            media_type=GZIP_LAYER_TYPE,
            units=units,
        )


def _feed(stream: _Stream, entries: Iterable[Entry], mtime_limit: int) -> None:
    """Read files in this thread while another one compresses, which releases the interpreter."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(max_workers=1) as worker:
        # A deflate stream depends on how its input is cut up: hence pieces of one fixed size.
        for chunk in tar_chunks(entries, mtime_limit=mtime_limit):
            waiting.append(worker.submit(stream.add, chunk))
            if len(waiting) > _AHEAD:
                waiting.popleft().result()
        for future in waiting:
            future.result()
