"""A binary package file: an ar archive of a version, a control tarball and a data tarball.

Source: deb(5).
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from lamina.backends.deb.tarball import Readable, padded, read_entries
from lamina.backends.streams import BUFFER, Decompressor, Expansion
from lamina.errors import BuildError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# A control tarball holds scripts and lists; the largest of Debian 13 is under 5 MB.
CONTROL_LIMIT = 64 << 20

_MAGIC = b"!<arch>\n"
_HEADER = 60  # bytes before each member
_FEW = 64  # members; dpkg-deb writes three


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The control tarball: its member's name and bytes as they are, and its small files."""

    member: str  # `control.tar.xz`
    content: bytes
    files: Mapping[str, bytes]  # `control`, `conffiles`, `preinst`, ...
    modes: Mapping[str, int]  # of the same files

    def text(self, name: str) -> str:
        """Return one of the files; empty if it is not there."""
        return self.files.get(name, b"").decode(errors="surrogateescape")

    def fields(self) -> Mapping[str, str]:
        """Return the fields of the control file."""
        # Loaded here, because most runs make no unit.
        from debian.deb822 import Deb822

        return Deb822(self.files.get("control", b"").decode())

    @property
    def conffiles(self) -> tuple[str, ...]:
        """The paths of the configuration files that are part of the package, absolute."""
        lines = (line.strip() for line in self.files.get("conffiles", b"").split(b"\n"))
        # A line may start with a flag, as in `remove-on-upgrade /etc/x`: no file of the package.
        return tuple(os.fsdecode(line) for line in lines if line.startswith(b"/"))


@contextmanager
def faults_of(place: str) -> Iterator[None]:
    """Turn what a damaged or hostile package raises into a `BuildError` that names `place`."""
    try:
        yield
    except (ValueError, EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise BuildError.one(
            f"the package cannot be unpacked: {error}",
            place=place,
            remedy="take the package from its repository again, or rebuild it with dpkg-deb",
        ) from error


class Package:
    """An open package file; a context manager that closes it.

    Its methods raise what `faults_of` turns into an error.
    """

    def __init__(self, path: Path) -> None:
        """Read the list of members; raise `ValueError` where the file is no binary package."""
        self._file = path.open("rb")
        try:
            self._members = tuple(_read_members(self._file))
            first = next(iter(self._members), None)
            if first is None or first.name != "debian-binary" or first.read(2) != b"2.":
                raise ValueError("it is no binary package of the format 2")
        except ValueError:
            self._file.close()
            raise

    def __enter__(self) -> Package:
        """Return the package."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    def control(self) -> Control:
        """Return the control tarball."""
        member = self._member("control.tar")
        content = io.BufferedReader(member).read(CONTROL_LIMIT + 1)
        expanded = _expanded(member.name, io.BytesIO(content)).read(CONTROL_LIMIT + 1)
        if max(len(content), len(expanded)) > CONTROL_LIMIT:
            raise ValueError(f"{member.name} is larger than {CONTROL_LIMIT >> 20} MB")
        source = io.BytesIO(expanded)
        files: dict[str, bytes] = {}
        modes: dict[str, int] = {}
        for entry in read_entries(source):
            name = entry.name.removeprefix("./")
            if entry.type == b"0":
                if name in files:
                    raise ValueError(f"{name} comes twice in {member.name}")
                files[name] = source.read(padded(entry.size))[: entry.size]
                modes[name] = entry.mode
        return Control(member=member.name, content=content, files=files, modes=modes)

    def data(self) -> Readable:
        """Return the data tarball, decompressed as it is read."""
        member = self._member("data.tar")
        return _expanded(member.name, io.BufferedReader(member))

    def _member(self, stem: str) -> _Member:
        for member in self._members:
            if member.name.startswith(stem):
                return member
        raise ValueError(f"there is no {stem} in it")


class _Member(io.RawIOBase):
    """One member of the archive, read in order."""

    def __init__(self, file: BinaryIO, name: str, start: int, size: int) -> None:
        super().__init__()
        self.name = name
        self._file = file
        self._at = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        self._file.seek(self._at)
        chunk = self._file.read(min(len(view), self._end - self._at))
        view[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)


def _read_members(file: BinaryIO) -> Iterator[_Member]:
    """Yield the members; the sizes are checked against the file's own, and so never lead back."""
    end = os.fstat(file.fileno()).st_size
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is no ar archive")
    start = len(_MAGIC)
    for _ in range(_FEW):
        file.seek(start)
        header = file.read(_HEADER)
        if not header:
            return
        size = header[48:58].rstrip(b" ")
        if len(header) < _HEADER or header[58:] != b"`\n" or not size.isdigit():
            raise ValueError("a header of the ar archive is damaged")
        start += _HEADER
        if start + int(size) > end:
            raise ValueError("the ar archive ends too early")
        name = header[:16].rstrip(b" ").removesuffix(b"/").decode("ascii", "backslashreplace")
        yield _Member(file, name, start, int(size))
        start += int(size) + int(size) % 2
    raise ValueError(f"it has more than {_FEW} members")


def _expanded(member: str, content: BinaryIO) -> Readable:
    match member.partition(".tar")[2]:
        case "":
            return content
        case ".xz":
            return io.BufferedReader(Expansion(content, _new_xz), BUFFER)
        case ".gz":
            return gzip.GzipFile(fileobj=content, mode="rb")
        case suffix:
            raise ValueError(
                f"{member} is compressed as {suffix.lstrip('.')}, and lamina reads xz and gz"
            )


def _new_xz() -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ)
