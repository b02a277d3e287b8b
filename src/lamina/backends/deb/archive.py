"""A binary package file: an ar archive of a version, a control tarball and a data tarball.

Source: deb(5).
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from debian.arfile import ArError, ArFile

from lamina.errors import BuildError

CHUNK = 1 << 20
# A control tarball holds scripts and lists; the largest of Debian 13 is under 5 MB.
CONTROL_LIMIT = 64 << 20


class Readable(Protocol):
    """A source of bytes, read in order."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""


class Decompressor(Protocol):
    """What `lzma` and `zlib` share."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the stream."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return what `data` decompresses to."""


class Decompressed:
    """The decompressed bytes of a file, read in order."""

    def __init__(self, source: Readable, decompressor: Decompressor | None) -> None:
        """Read from `source`; without a decompressor its bytes come as they are."""
        self._source = source
        self._decompressor = decompressor
        self._buffer = b""
        self._offset = 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""
        if self._offset + size <= len(self._buffer):
            chunk = self._buffer[self._offset : self._offset + size]
            self._offset += size
            return chunk
        parts = [self._buffer[self._offset :]]
        missing = size - len(parts[0])
        self._buffer, self._offset = b"", 0
        while missing > 0:
            block = self._next()
            if not block:
                break
            parts.append(block[:missing])
            self._buffer, self._offset = block, min(missing, len(block))
            missing -= len(parts[-1])
        return b"".join(parts)

    def _next(self) -> bytes:
        while True:
            compressed = self._source.read(CHUNK)
            if not compressed or self._decompressor is None:
                return compressed
            if self._decompressor.eof:
                return b""
            if block := self._decompressor.decompress(compressed):
                return block


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The control tarball: its member's name and bytes as they are, and its small files."""

    member: str  # `control.tar.xz`
    content: bytes
    files: Mapping[str, bytes]  # `control`, `conffiles`, `preinst`, ...

    @property
    def conffiles(self) -> tuple[str, ...]:
        """The paths of the configuration files that are part of the package, absolute."""
        lines = self.files.get("conffiles", b"").decode().splitlines()
        # A line may start with a flag, as in `remove-on-upgrade /etc/x`: no file of the package.
        return tuple(line.strip() for line in lines if line.startswith("/"))


class Package:
    """An open package file."""

    def __init__(self, path: Path) -> None:
        """Read the list of members; raise `BuildError` where the file is no binary package."""
        self.path = path
        try:
            self._archive = ArFile(str(path))
        except (ArError, OSError, ValueError) as error:
            raise self._broken(str(error)) from error

    def control(self) -> Control:
        """Return the control tarball."""
        member, content = self._member("control.tar")
        try:
            with tarfile.open(fileobj=io.BytesIO(_expanded(member, content))) as tar:
                files = {
                    info.name.removeprefix("./"): extracted.read()
                    for info in tar
                    if info.isfile() and (extracted := tar.extractfile(info))
                }
        except (tarfile.TarError, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise self._broken(f"{member}: {error}") from error
        return Control(member=member, content=content, files=files)

    def data(self) -> Decompressed:
        """Return the data tarball, decompressed as it is read."""
        for member in self._archive.getmembers():
            if member.name.startswith("data.tar"):
                member.seek(0)
                return Decompressed(member, _decompressor(member.name, self.path))
        raise self._broken("no data.tar in it")

    def _member(self, stem: str) -> tuple[str, bytes]:
        for member in self._archive.getmembers():
            if member.name.startswith(stem):
                if member.size > CONTROL_LIMIT:
                    raise self._broken(f"{member.name} has {member.size} bytes")
                member.seek(0)
                return member.name, member.read()
        raise self._broken(f"no {stem} in it")

    def _broken(self, why: str) -> Exception:
        return BuildError.one(
            f"not a binary package: {why}",
            place=self.path.name,
            remedy="take the package from a Debian repository, or rebuild it with dpkg-deb",
        )


def _decompressor(member: str, path: Path) -> Decompressor | None:
    match member.rpartition(".tar")[2]:
        case "":
            return None
        case ".xz":
            return lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        case ".gz":
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        case suffix:
            raise BuildError.one(
                f"{member} is compressed with {suffix.lstrip('.')}, which lamina cannot read",
                place=path.name,
                remedy="rebuild the package with dpkg-deb -Zxz",
            )


def _expanded(member: str, content: bytes) -> bytes:
    match member.rpartition(".tar")[2]:
        case ".xz":
            return lzma.decompress(content)
        case ".gz":
            return gzip.decompress(content)
        case _:
            return content
