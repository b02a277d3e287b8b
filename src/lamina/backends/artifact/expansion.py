"""The tar streams of artifacts, decompressed in little memory."""

from __future__ import annotations

import bz2
import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from isal import igzip

from lamina.backends.streams import BUFFER, DamageError, Decompressor, Expansion
from lamina.model.artifact import Packing
from lamina.oci.extract import gzip_told
from lamina.oci.untar import Readable, RefusedError

# xz(1) takes 65 MiB to read what `xz -9` wrote; a hostile header asks for gigabytes.
_MEMORY = 256 << 20


def expanded(packing: Packing, file: BinaryIO) -> Readable:
    """Return the tar stream that a file holds."""
    match packing:
        case Packing.TAR_GZIP:
            return cast(Readable, igzip.IGzipFile(fileobj=file))  # type: ignore[no-untyped-call]
        case Packing.TAR_XZ:
            return io.BufferedReader(Expansion(file, _new_xz), BUFFER)
        case Packing.TAR_BZIP2:
            return io.BufferedReader(Expansion(file, bz2.BZ2Decompressor), BUFFER)
        case Packing.TAR:
            return file
        case _:
            raise ValueError(packing)


@contextmanager
def damage_told() -> Iterator[None]:
    """Turn errors of decompression into the refusal of the archive."""
    try:
        with gzip_told():
            yield
    except (lzma.LZMAError, DamageError) as error:
        raise RefusedError(f"it cannot be decompressed: {error}") from error


def _new_xz() -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
