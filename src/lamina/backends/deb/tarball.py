"""The entries of a data tarball, with their headers as they are.

dpkg reads old-style, ustar and GNU tarballs and nothing else, so this does too. The headers are
kept byte for byte, because a husk repeats them.

Source: dpkg's tar-extract.c for what is understood, tar(5) for the fields.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BLOCK = 512
# Names longer than any path that Linux takes are an attack or damage.
NAME_LIMIT = 1 << 14

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*", re.ASCII)
_LARGEST_ID = (1 << 32) - 2  # the next one means `no id` to chown(2)
_LARGEST_TIME = (1 << 33) - 1  # what the field holds in octal digits
_LARGEST = (1 << 63) - 1


class Readable(Protocol):
    """A source of bytes, read in order."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry: its meaning, and the header blocks (long names included) that said so."""

    name: str  # as written: `./usr/bin/cron`
    type: bytes  # one byte: `0` file, `1` hard link, `2` symlink, `3` char, `4` block, `5` dir
    mode: int
    uid: int
    gid: int
    user: str  # empty in an old-style tarball
    group: str
    size: int  # bytes of content that follow the header
    mtime: int
    target: str
    prelude: bytes  # blocks of GNU long names before the header
    header: bytes  # the header block

    def header_with_size(self, size: int) -> bytes:
        """Return the prelude and the header, saying that `size` bytes of content follow."""
        if size == self.size:
            return self.prelude + self.header
        block = bytearray(self.header)
        block[124:136] = b"%011o\0" % size
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        return self.prelude + bytes(block)


def read_entries(source: Readable) -> Iterator[TarEntry]:
    """Yield the entries of a tarball; the caller reads each one's content and padding itself.

    Raises `ValueError` for what is not a tarball that dpkg would take.
    """
    prelude = b""
    long_name = long_target = None
    while True:
        header = _block(source, BLOCK)
        if header == bytes(BLOCK):
            return
        if _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
            raise ValueError("a header of the tarball is damaged")
        kind = header[156:157]
        size = _number(header[124:136])
        if kind in (b"L", b"K"):
            if size + len(prelude) > NAME_LIMIT:
                raise ValueError(f"a name in the tarball is longer than {NAME_LIMIT} bytes")
            content = _block(source, padded(size))
            text = os.fsdecode(content[:size].rstrip(b"\0"))
            long_name, long_target = (text, long_target) if kind == b"L" else (long_name, text)
            prelude += header + content
            continue
        yield _entry(header, size, prelude, long_name, long_target)
        prelude = b""
        long_name = long_target = None


def padded(size: int) -> int:
    """Return `size` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def _block(source: Readable, size: int) -> bytes:
    content = source.read(size)
    if len(content) < size:
        raise ValueError("the tarball ends too early")
    return content


def _entry(
    header: bytes, size: int, prelude: bytes, long_name: str | None, long_target: str | None
) -> TarEntry:
    kind = header[156:157]
    if kind not in b"\x000123456":
        raise ValueError(f"an entry of the type {kind!r}, which dpkg does not take")
    name = _text(header[0:100])
    if header[257:263] == b"ustar\0" and (prefix := _text(header[345:500])):
        name = f"{prefix}/{name}"
    if long_name is not None:
        name = long_name
    if kind in b"\x000":
        # Before there was a type for directories, they were files with a slash.
        kind = b"5" if name.endswith("/") else b"0"
    owners = header[257:262] == b"ustar"
    return TarEntry(
        name,
        kind,
        _number(header[100:108]) & 0o7777,
        _number(header[108:116], _LARGEST_ID),
        _number(header[116:124], _LARGEST_ID),
        _text(header[265:297]) if owners else "",
        _text(header[297:329]) if owners else "",
        size if kind == b"0" else 0,
        _number(header[136:148], _LARGEST_TIME),
        long_target if long_target is not None else _text(header[157:257]),
        prelude,
        header,
    )


def _text(raw: bytes) -> str:
    return os.fsdecode(raw.partition(b"\0")[0])


def _number(raw: bytes, largest: int = _LARGEST) -> int:
    if raw[0] == 0x80:  # GNU's base 256 for what octal digits cannot hold
        value = int.from_bytes(raw[1:], "big")
    elif octal := _OCTAL.fullmatch(raw):
        value = int(octal[1] or b"0", 8)
    else:
        raise ValueError(f"{raw!r} in a header of the tarball is no number")
    if value > largest:
        raise ValueError(f"{value} in a header of the tarball is out of range")
    return value
