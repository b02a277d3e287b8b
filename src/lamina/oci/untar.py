"""Reading tar streams that may be damaged or made to do harm.

Understood are ustar, PAX and GNU's long names and large numbers. All else is refused, for what
two programs read differently can deceive one of them. The standard library's tarfile would keep
headers of any length in memory, and turns attributes into text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from lamina.oci.entry import OPAQUE_NAME, WHITEOUT_PREFIX, Entry, EntryKind
from lamina.oci.tar import BLOCK, CHUNK, TYPE_FLAGS, XATTR_PREFIX

_KINDS = {
    **{flag: kind for kind, flag in TYPE_FLAGS.items()},
    b"0": EntryKind.FILE,  # not the whiteouts, which have the same flag
    b"\0": EntryKind.FILE,
    b"7": EntryKind.FILE,
}
_LINKS = {EntryKind.SYMLINK, EntryKind.HARDLINK}
_DEVICES = {EntryKind.CHAR, EntryKind.BLOCK}
_GNU_LONG = {b"L": b"path", b"K": b"linkpath"}
_EXTENSION_LIMIT = 1 << 20  # bytes: more than any path and its attributes take

_Records = Mapping[bytes, bytes]


class Readable(Protocol):
    """A source of bytes, read in order."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may grow to before it is taken for a bomb."""

    entries: int = 2_000_000
    size: int = 64 << 30  # bytes of the whole tar


class RefusedError(Exception):
    """An archive cannot be taken, because of the entry at `path` if that is not empty."""

    def __init__(self, why: str, path: str = "") -> None:
        super().__init__(why, path)
        self.why = why
        self.path = path


def read_entries(stream: Readable, limits: Limits) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """Yield the entries of a tar stream, each with its content, to be read before the next.

    Paths are checked to lie below the root by name; links are not followed here. Raises
    `RefusedError` for what is no whole archive of a known form, and beyond `limits`.
    """
    source = _Source(stream, limits.size)
    common: dict[bytes, bytes] = {}
    extended: dict[bytes, bytes] = {}
    count = 0
    while any(block := source.take(BLOCK)):
        count += 1
        if count > limits.entries:
            raise RefusedError(f"it has more than {limits.entries} entries")
        _check_sum(block)
        flag = block[156:157]
        if flag == b"x":
            extended.update(_records(source.extension(block)))
        elif flag == b"g":
            common.update(_records(source.extension(block)))
        elif flag in _GNU_LONG:
            extended[_GNU_LONG[flag]] = source.extension(block).rstrip(b"\0")
        else:
            entry = _entry(block, {**common, **extended})
            extended.clear()
            content = source.content(entry)
            yield entry, content
            for _ in content:
                pass
    source.drain()


class _Source:
    """A tar stream of which so much has been read."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._left = limit

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        self._left -= size
        if self._left < 0:
            raise RefusedError(f"it is larger than {self._limit} bytes")
        content = self._stream.read(size)
        if len(content) != size:
            raise RefusedError("it ends too early")
        return content

    def extension(self, block: bytes) -> bytes:
        """Return the content that follows the header `block` of an extension."""
        size = _number(block[124:136])
        if size > _EXTENSION_LIMIT:
            raise RefusedError(f"it has a header of {size} bytes")
        return self.take(size + -size % BLOCK)[:size]

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Yield a file's content; the padding after it is read too."""
        left = entry.size
        while left:
            yield self.take(min(left, CHUNK))
            left -= min(left, CHUNK)
        self.take(-entry.size % BLOCK)

    def drain(self) -> None:
        """Read the padding at the end, so that the compression's own checksum is seen."""
        while rest := self._stream.read(CHUNK):
            self._left -= len(rest)
            if self._left < 0:
                raise RefusedError(f"it is larger than {self._limit} bytes")
            if rest.count(0) != len(rest):
                raise RefusedError("something follows its end")


def _check_sum(block: bytes) -> None:
    """Refuse a block that is no tar header."""
    if block[257:262] != b"ustar":
        raise RefusedError("it is not a tar archive of a known form")
    found = sum(block) - sum(block[148:156]) + 8 * 0x20
    if found != _number(block[148:156]):
        raise RefusedError("the checksum of a header is wrong")


def _entry(block: bytes, records: _Records) -> Entry:
    """Return the entry of a header and the extended records that belong to it."""
    name = records.get(b"path") or _name(block)
    path = os.fsdecode(name)
    kind = _KINDS.get(block[156:157])
    if kind is None or any(key.startswith(b"GNU.sparse.") for key in records):
        raise RefusedError(f"entries of type {block[156:157]!r} are not known", path)
    if kind is EntryKind.FILE and name.endswith(b"/"):
        kind = EntryKind.DIRECTORY  # as before POSIX
    size = _integer(records, b"size", block[124:136], path)
    if size and kind is not EntryKind.FILE:
        raise RefusedError(f"a {kind} has content", path)
    kind, plain = _unmarked(kind, inside(path))
    return Entry(
        path=plain,
        kind=kind,
        mode=_number(block[100:108]) & 0o7777,
        uid=_integer(records, b"uid", block[108:116], path),
        gid=_integer(records, b"gid", block[116:124], path),
        mtime=_integer(records, b"mtime", block[136:148], path),
        size=size,
        target=_target(kind, records.get(b"linkpath") or _text(block[157:257])),
        rdev=_device(block) if kind in _DEVICES else 0,
        xattrs=_xattrs(records),
    )


def _name(block: bytes) -> bytes:
    """Return the path in a header's own fields; GNU's form has no prefix."""
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else b""
    name = _text(block[:100])
    return prefix + b"/" + name if prefix else name


def _text(field: bytes) -> bytes:
    """Return a text field, which ends at its first NUL."""
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """Return a number field: octal digits, or GNU's binary form."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise RefusedError("a number in a header is none")
    return int(digits, 8)


def _integer(records: _Records, key: bytes, field: bytes, path: str) -> int:
    """Return a number that an extended record may give in place of a field."""
    if key not in records:
        return _number(field)
    whole, _, fraction = records[key].partition(b".")
    if not whole.isdigit() or len(whole) > 20 or not (fraction or b"0").isdigit():
        raise RefusedError(f"the record {key.decode()} is no number", path)
    return int(whole)


def _device(block: bytes) -> int:
    """Return a device's number."""
    return os.makedev(_number(block[329:337]), _number(block[337:345]))


def _records(body: bytes) -> dict[bytes, bytes]:
    """Return the records of a PAX header, each `LENGTH KEY=VALUE` and a line feed."""
    records = {}
    while body:
        length, space, _ = body[:20].partition(b" ")
        if not space or not length.isdigit():
            raise RefusedError("an extended header is broken")
        record, body = body[len(length) + 1 : int(length)], body[int(length) :]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise RefusedError("an extended header is broken")
        records[key] = value[:-1]
    return records


def _xattrs(records: _Records) -> tuple[tuple[str, bytes], ...]:
    """Return the extended attributes among the records, sorted by name."""
    prefix = XATTR_PREFIX.encode()
    return tuple(
        sorted(
            (os.fsdecode(key.removeprefix(prefix)), value)
            for key, value in records.items()
            if key.startswith(prefix)
        )
    )


def _target(kind: EntryKind, link: bytes) -> str:
    """Return what a link points to; a hard link's target is a path of the archive."""
    if kind not in _LINKS:
        return ""
    text = os.fsdecode(link)
    if not text or "\0" in text:
        raise RefusedError("a link points nowhere")
    return inside(text) if kind is EntryKind.HARDLINK else text


def inside(path: str) -> str:
    """Return a path in its plain form; refuse one that lies outside the root by its name."""
    if path.startswith("/") or "\0" in path:
        raise RefusedError("a path is absolute or has a NUL in it", path)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise RefusedError("a path leads out of the archive", path)
    return "/".join(parts)


def _unmarked(kind: EntryKind, path: str) -> tuple[EntryKind, str]:
    """Return what the entry means: that of a whiteout's name is what the whiteout hides."""
    parent, slash, name = path.rpartition("/")
    if parent.startswith(WHITEOUT_PREFIX) or f"/{WHITEOUT_PREFIX}" in parent:
        raise RefusedError("a whiteout is used as a directory", path)
    if not name.startswith(WHITEOUT_PREFIX):
        return kind, path
    if name == OPAQUE_NAME:
        return EntryKind.OPAQUE, parent
    hidden = name.removeprefix(WHITEOUT_PREFIX)
    if hidden in ("", ".", "..") or hidden.startswith(WHITEOUT_PREFIX):
        raise RefusedError("a whiteout of this name is not known", path)
    return EntryKind.WHITEOUT, f"{parent}{slash}{hidden}"
