"""Reading zip archives that may be damaged or made to do harm.

A zip archive tells everything twice, in its central directory and before each member, and programs
differ in which they believe. So the whole file is gone through: its members must lie one behind the
other with nothing between them, and be told the same in both places. All else is refused.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
"""

from __future__ import annotations

import calendar
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from lamina.oci.entry import Entry, EntryKind
from lamina.oci.untar import Limits, RefusedError, inside

_LOCAL = struct.Struct("<4s2x2H4x3L2H")
_ENCRYPTED, _STREAMED, _UTF8 = 0x1, 0x8, 0x800
_COMPARED = _ENCRYPTED | _STREAMED | _UTF8
_LARGE = 0xFFFFFFFF  # the size stands in an extra field
_UNIX = (3, 19)  # systems whose external attributes hold a mode: Unix, macOS
_CENTRAL, _END, _END_64 = 46, 22, 76  # bytes of fixed records
_DESCRIPTORS = (12, 16, 20, 24)  # sizes, with and without a signature, of 4 and 8 bytes
_CHUNK = 1 << 18
_TARGET_LIMIT = 4096
_DAMAGED = (zipfile.BadZipFile, struct.error, UnicodeDecodeError, OverflowError, ValueError)


class _Local(NamedTuple):
    """The header before a member, without its version and time."""

    magic: bytes
    flags: int
    method: int
    crc: int
    packed: int  # bytes
    size: int  # bytes
    name: int  # bytes of it
    extra: int  # bytes of further fields


def read_zip(file: BinaryIO, limits: Limits) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """Yield the members of a zip archive, each with its content, to be read before the next.

    Raises `RefusedError` for what is no whole archive of a known form, and beyond `limits`.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.header_offset)
            start, comment = archive.start_dir, archive.comment
    except _DAMAGED as error:
        raise RefusedError(f"it is not a zip archive: {error}") from error
    except NotImplementedError as error:
        raise RefusedError(f"it has members of a form that is not known: {error}") from error
    _check_limits(members, limits)
    _check_end(file, members, start, comment)
    here = 0
    for member in members:
        begin = _begin(file, member, here)
        yield from _member(file, member, begin)
        here = _after(file, member, begin + member.compress_size, start)
    if here != start:
        raise RefusedError(f"{start - here} bytes lie between its members and its directory")


def _check_limits(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(members) > limits.entries:
        raise RefusedError(f"it has more than {limits.entries} entries")
    if sum(member.file_size for member in members) > limits.size:
        raise RefusedError(f"it is larger than {limits.size} bytes")


def _check_end(file: BinaryIO, members: list[zipfile.ZipInfo], start: int, comment: bytes) -> None:
    """Refuse an archive whose central directory and end do not fill the rest of the file."""
    directory = sum(
        _CENTRAL + len(_raw_name(member)) + len(member.extra) + len(member.comment)
        for member in members
    )
    left = file.seek(0, os.SEEK_END) - start - directory - len(comment)
    if left not in (_END, _END + _END_64):
        raise RefusedError("something follows its end, or hides in its directory")


def _begin(file: BinaryIO, member: zipfile.ZipInfo, here: int) -> int:
    """Return where a member's content begins; refuse one that is told in two ways."""
    name = member.orig_filename
    if member.header_offset != here:
        raise RefusedError("it does not lie behind the member before it", name)
    file.seek(here)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        raise RefusedError("it ends too early", name)
    local = _Local(*_LOCAL.unpack(header))
    if local.magic != b"PK\3\4":
        raise RefusedError("nothing says where it begins", name)
    there = (member.CRC, member.compress_size, member.file_size)
    here_too = (local.crc, local.packed, local.size)
    streamed = member.flag_bits & _STREAMED
    same = all(
        one in (other, _LARGE) or (one == 0 and streamed)
        for one, other in zip(here_too, there, strict=True)
    )
    differs = (local.flags ^ member.flag_bits) & _COMPARED or local.method != member.compress_type
    if differs or not same or file.read(local.name) != _raw_name(member):
        raise RefusedError("the directory and the member itself tell different things", name)
    return here + _LOCAL.size + local.name + local.extra


def _after(file: BinaryIO, member: zipfile.ZipInfo, end: int, start: int) -> int:
    """Return where the next member must begin: behind the data descriptor, if there is one."""
    if not member.flag_bits & _STREAMED:
        return end
    file.seek(end)
    found = file.read(min(_DESCRIPTORS[-1], start - end))
    signed = found.startswith(b"PK\7\b")
    for form in ("<3L", "<L2Q"):
        size = struct.calcsize(form)
        told = found[4:][:size] if signed else found[:size]
        there = (member.CRC, member.compress_size, member.file_size)
        if len(told) == size and struct.unpack(form, told) == there:
            return end + size + 4 * signed
    raise RefusedError("the directory and what follows the member differ", member.orig_filename)


def _member(
    file: BinaryIO, member: zipfile.ZipInfo, begin: int
) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    name = member.orig_filename
    if member.flag_bits & _ENCRYPTED:
        raise RefusedError("it is encrypted", name)
    if "\\" in name or not (member.flag_bits & _UTF8 or name.isascii()):
        raise RefusedError("its name can be read in several ways", name)
    content = _content(file, member, begin)
    entry = _entry(member)
    if entry.kind is EntryKind.SYMLINK:
        if member.file_size > _TARGET_LIMIT:
            raise RefusedError("a link points too far", name)
        target = os.fsdecode(b"".join(content))
        if not target or "\0" in target:
            raise RefusedError("a link points nowhere", name)
        entry = _entry(member, target)
    yield entry, content
    for _ in content:
        pass


def _entry(member: zipfile.ZipInfo, target: str = "") -> Entry:
    name = member.orig_filename
    attributes = member.external_attr >> 16 if member.create_system in _UNIX else 0
    type_ = stat.S_IFMT(attributes)
    folder = name.endswith("/")
    if type_ not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise RefusedError("it is neither file, link nor directory", name)
    if folder != (type_ == stat.S_IFDIR) and type_ != 0:
        raise RefusedError("it is a directory by its name or by its mode, not by both", name)
    if folder and member.file_size:
        raise RefusedError("a directory has content", name)
    kind = EntryKind.SYMLINK if type_ == stat.S_IFLNK else EntryKind.FILE
    return Entry(
        path=inside(name),
        kind=EntryKind.DIRECTORY if folder else kind,
        mode=stat.S_IMODE(attributes),
        mtime=_time(member),
        size=member.file_size if kind is EntryKind.FILE and not folder else 0,
        target=target,
    )


def _content(file: BinaryIO, member: zipfile.ZipInfo, begin: int) -> Iterator[bytes]:
    """Yield a member's content, checked against what is told of it."""
    name = member.orig_filename
    size, crc = 0, 0
    for content in _expanded(_packed(file, member, begin), member):
        size, crc = size + len(content), zlib.crc32(content, crc)
        if size > member.file_size:
            raise RefusedError("it is larger than is told", name)
        yield content
    if size != member.file_size or crc != member.CRC:
        raise RefusedError("its content is not what is told of it", name)


def _packed(file: BinaryIO, member: zipfile.ZipInfo, begin: int) -> Iterator[bytes]:
    """Yield a member's content as it stands in the file."""
    here, left = begin, member.compress_size
    while left:
        file.seek(here)
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise RefusedError("it ends too early", member.orig_filename)
        here, left = here + len(chunk), left - len(chunk)
        yield chunk


def _expanded(packed: Iterator[bytes], member: zipfile.ZipInfo) -> Iterator[bytes]:
    name = member.orig_filename
    if member.compress_type == zipfile.ZIP_STORED:
        yield from packed
        return
    if member.compress_type != zipfile.ZIP_DEFLATED:
        raise RefusedError(f"compression {member.compress_type} is not known", name)
    expand = zlib.decompressobj(-zlib.MAX_WBITS)
    for chunk in packed:
        waiting = chunk
        while not expand.eof:
            content = _step(expand, waiting, name)
            waiting = expand.unconsumed_tail
            if not content and not waiting:
                break
            yield content
        if expand.unused_data:
            raise RefusedError("something follows its compressed content", name)
    if not expand.eof:
        raise RefusedError("its compressed content has no end", name)


def _step(expand: zlib._Decompress, waiting: bytes, name: str) -> bytes:
    try:
        return expand.decompress(waiting, _CHUNK)
    except zlib.error as error:
        raise RefusedError(f"it cannot be decompressed: {error}", name) from error


def _raw_name(member: zipfile.ZipInfo) -> bytes:
    return member.orig_filename.encode("utf-8" if member.flag_bits & _UTF8 else "cp437")


def _time(member: zipfile.ZipInfo) -> int:
    """Return the time, which has no zone: taken as UTC, so that it is the same everywhere."""
    try:
        return max(calendar.timegm((*member.date_time, 0, 0, 0)), 0)
    except ValueError:
        return 0  # month 0, as some programs write where they have no time
