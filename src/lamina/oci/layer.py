"""Layers: trees of entries as compressed tar archives."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import isal
from isal import isal_zlib

from lamina.model.built import Layer, Part
from lamina.model.digest import Digest
from lamina.oci.descriptor import GZIP_LAYER_TYPE
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.layout import Layout, NewBlob
from lamina.oci.tar import END, tar_chunks
from lamina.oci.tree import merge_trees

# Level 2 is the fastest of ISA-L's that is not stored or fixed Huffman, at 360 MB/s a core, and
# within 2 % of the smallest; zlib at its level 6 is a fifteenth as fast.
_LEVEL = 2
_GZIP = 31  # zlib's window bits: 32 KiB of window, in a gzip frame without time and name

CODEC = f"gzip {_LEVEL} isal {isal.ISAL_VERSION} python-isal {isal.__version__}"
"""What compresses layers: the same tar gives the same blob only with the same codec."""

_AHEAD = 16  # chunks read before they are compressed
_DISK_BLOCK = 4096  # of ext4 and xfs, as they are made by default


def write_layer(entries: Iterable[Entry], into: Layout, *, mtime_limit: int) -> Layer:
    """Put the layer that holds `entries` into the layout and return it.

    Times after `mtime_limit` (seconds since 1970) become that. The same entries give the same
    bytes. Raises `StoreError` as `tar_chunks` does, and when the disk is full.
    """
    with into.new_blob() as blob, _Stream(blob, mtime_limit) as stream:
        stream.add(entries)
        return stream.end(())


def write_unit_layer(
    trees: Mapping[str, Sequence[Entry]], into: Layout, *, mtime_limit: int
) -> Layer:
    """Put the layer that holds the `trees` of units into the layout and return it.

    `trees` are by the unit's key; the first one is the topmost, and no two have a path in common
    but directories. Those come first in the layer. Then follows unit by unit, in an order of its
    own, compressed as if it stood alone, so that the layer's parts tell what each would take of
    any other layer. The same trees give the same bytes. Otherwise as `write_layer`.
    """
    merged = merge_trees(trees.values())
    with into.new_blob() as blob, _Stream(blob, mtime_limit) as stream:
        stream.add(entry for entry in merged if entry.kind is EntryKind.DIRECTORY)
        parts = []
        for key in sorted(trees):
            before, before_tar = stream.flush(), stream.apparent
            stream.add(entry for entry in trees[key] if entry.kind is not EntryKind.DIRECTORY)
            size = stream.flush() - before
            parts.append(Part(unit=key, size=size, apparent=stream.apparent - before_tar))
        return stream.end(tuple(parts))


class _Stream:
    """Compresses and digests a tar stream; a context manager that ends its thread.

    Files are read in the caller's thread while another one compresses, which releases the
    interpreter.
    """

    def __init__(self, blob: NewBlob, mtime_limit: int) -> None:
        self.apparent = 0  # bytes of tar so far
        self._blob = blob
        self._mtime_limit = mtime_limit
        self._tar = hashlib.sha256()
        self._disk = 0
        self._deflate = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._worker.shutdown(cancel_futures=True)

    def add(self, entries: Iterable[Entry]) -> None:
        """Append entries to the tar."""
        # A deflate stream depends on how its input is cut up: hence pieces of one fixed size.
        for chunk in tar_chunks(self._measured(entries), mtime_limit=self._mtime_limit):
            self._submit(self._compress, chunk)

    def flush(self) -> int:
        """Return the size of the blob; what follows is compressed without what came before."""
        self._submit(self._restart, bytearray())
        self._settle()
        return self._blob.size

    def end(self, parts: tuple[Part, ...]) -> Layer:
        """Keep the blob and return the layer."""
        self._submit(self._compress, bytearray(END))
        self._settle()
        self._blob.write(self._deflate.flush())
        return Layer(
            diff_id=Digest(self._tar.hexdigest()),
            digest=self._blob.keep(),
            size=self._blob.size,
            apparent=self.apparent,
            disk=self._disk,
            media_type=GZIP_LAYER_TYPE,
            parts=parts,
        )

    def _measured(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        for entry in entries:
            blocks = -(-entry.size // _DISK_BLOCK) + (entry.kind is EntryKind.DIRECTORY)
            self._disk += blocks * _DISK_BLOCK
            yield entry

    def _submit(self, act: Callable[[bytearray], None], chunk: bytearray) -> None:
        self.apparent += len(chunk)
        self._waiting.append(self._worker.submit(act, chunk))
        if len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()

    def _settle(self) -> None:
        """Wait until everything is compressed, and raise what went wrong in that."""
        while self._waiting:
            self._waiting.popleft().result()

    def _compress(self, chunk: bytearray) -> None:
        self._tar.update(chunk)
        self._blob.write(self._deflate.compress(chunk))

    def _restart(self, _nothing: bytearray) -> None:
        self._blob.write(self._deflate.flush(isal_zlib.Z_FULL_FLUSH))
