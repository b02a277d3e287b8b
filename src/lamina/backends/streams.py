"""Compressed streams read strictly: to their end, with nothing behind it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER = 1 << 18


class DamageError(ValueError):
    """A compressed stream is damaged."""


class Decompressor(Protocol):
    """What the decompressors of lzma and bz2 have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether more must come in before more comes out."""

    @property
    def unused_data(self) -> bytes:
        """What follows the end of the stream."""

    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes:
        """Return some of what the data holds."""


class Expansion(io.RawIOBase):
    """What one compressed stream, or several in a row, hold.

    In larger pieces than the files of the modules give, which count on small ones, and pass over
    whatever follows a stream. Raises `EOFError` where the stream ends too early, `DamageError` or
    what the decompressor has for damage.
    """

    def __init__(self, file: BinaryIO, new: Callable[[], Decompressor]) -> None:
        """Read from `file`, each stream with a `new` decompressor."""
        super().__init__()
        self._file = file
        self._new = new
        self._expand = new()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer as far as a single step goes; return how many bytes that were."""
        view = memoryview(buffer)
        while True:
            following = b""
            if self._expand.eof:
                following = self._expand.unused_data or self._file.read(BUFFER)
                if not following:
                    return 0
                # One more stream: xz(1) and bzip2(1) put them one after the other.
                self._expand = self._new()
            elif self._expand.needs_input:
                following = self._file.read(BUFFER)
                if not following:
                    raise EOFError("the compressed data ends too early")
            try:
                content = self._expand.decompress(following, max_length=len(view))
            except OSError as error:  # as bz2 tells damage
                raise DamageError(str(error)) from error
            if content:
                view[: len(content)] = content
                return len(content)
