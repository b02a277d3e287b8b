"""The entries of a data tarball, with their headers as they are.

dpkg reads old-style, ustar and GNU tarballs and nothing else, so this does too. The headers are
kept byte for byte, because a husk repeats them.

Source: dpkg's tar-extract.c for what is understood, tar(5) for the fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.backends.deb.archive import Readable

BLOCK = 512
# A name longer than any path that Linux takes is an attack or damage.
NAME_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry: its meaning, and the header blocks (long names included) that said so."""

    name: str  # as written: `./usr/bin/cron`
    type: bytes  # one byte: `0` file, `1` hard link, `2` symlink, `3` char, `4` block, `5` dir
    mode: int
    uid: int
    gid: int
    user: str
    group: str
    size: int  # bytes of content that follow the header
    mtime: int
    target: str
    device: tuple[int, int]
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
        header = source.read(BLOCK)
        if len(header) < BLOCK:
            raise ValueError("the data tarball ends too early")
        if header == bytes(BLOCK):
            return
        if (
            int(header[148:156].strip(b"\0 ") or b"0", 8)
            != sum(header) - sum(header[148:156]) + 256
        ):
            raise ValueError("a header of the data tarball is damaged")
        kind = header[156:157]
        size = _number(header[124:136])
        if kind in (b"L", b"K"):
            if size > NAME_LIMIT:
                raise ValueError(f"a name of {size} bytes")
            content = source.read(padded(size))
            text = content[:size].rstrip(b"\0").decode(errors="surrogateescape")
            long_name, long_target = (text, long_target) if kind == b"L" else (long_name, text)
            prelude += header + content
            continue
        if kind not in b"\x000123456":
            raise ValueError(f"an entry of the type {kind!r}, which dpkg does not take")
        name = _text(header[0:100])
        if header[257:263] == b"ustar\0" and (prefix := _text(header[345:500])):
            name = f"{prefix}/{name}"
        yield TarEntry(
            long_name if long_name is not None else name,
            b"0" if kind == b"\0" else kind,
            _number(header[100:108]) & 0o7777,
            _number(header[108:116]),
            _number(header[116:124]),
            _text(header[265:297]),
            _text(header[297:329]),
            size if kind in b"\x000" else 0,
            _number(header[136:148]),
            long_target if long_target is not None else _text(header[157:257]),
            (_number(header[329:337]), _number(header[337:345])),
            prelude,
            header,
        )
        prelude = b""
        long_name = long_target = None


def padded(size: int) -> int:
    """Return `size` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="surrogateescape")


def _number(raw: bytes) -> int:
    if raw[0] & 0x80:  # GNU's base 256 for what octal digits cannot hold
        return int.from_bytes(bytes([raw[0] & 0x7F]) + raw[1:], "big")
    return int(raw.strip(b"\0 ") or b"0", 8)
