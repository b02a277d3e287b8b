"""The files that an image shows, and how those of two images differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lamina.errors import StoreError
from lamina.model.digest import Digest
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.listing import Listed

Move = Literal["added", "removed", "changed"]
Aspect = Literal["type", "content", "mode", "owner", "attributes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file, directory, link or device of an image.

    Times do not count, for they say nothing of the content; nor does it whether a file has other
    names: each is a file of its own.
    """

    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int  # bytes
    content: (
        Digest | str | int
    )  # of a file its digest, of a link its target, of a device its number
    xattrs: tuple[tuple[str, bytes], ...]


Files = Mapping[str, File]  # by path, without the slash at the beginning


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A path at which two images differ; None where there is nothing."""

    path: str
    old: File | None
    new: File | None

    @property
    def move(self) -> Move:
        """What became of the file."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """What of it changed; nothing of a file that is on one side only."""
        return tuple(_aspects(self.old, self.new)) if self.old and self.new else ()

    @property
    def growth(self) -> int:
        """By how many bytes the file is larger than before."""
        return (self.new.size if self.new else 0) - (self.old.size if self.old else 0)


def final_files(layers: Iterable[Sequence[Listed]]) -> Files:
    """Return what is left of layers laid over each other, the lowest first.

    As the OCI image specification has it (layer.md): whiteouts hide what lower layers have, never
    what their own layer has. Raises `StoreError` for a hard link to nothing.
    """
    files: dict[str, File] = {}
    for layer in layers:
        entries = [listed.entry for listed in layer]
        covered = _covered(entries, files)
        if covered:
            files = {path: file for path, file in files.items() if covered.isdisjoint(_ways(path))}
        for entry in entries:
            if entry.kind is EntryKind.WHITEOUT:
                files.pop(entry.path, None)
        for listed in layer:
            if listed.entry.kind not in (EntryKind.WHITEOUT, EntryKind.OPAQUE):
                files[listed.entry.path] = _file(listed, files)
    return files


def changed_files(old: Files, new: Files) -> tuple[FileChange, ...]:
    """Return how the files differ, by path."""
    return tuple(
        FileChange(path=path, old=old.get(path), new=new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def _covered(layer: Iterable[Entry], below: Files) -> frozenset[str]:
    """Return the directories below, each with a slash, of which a layer hides all that is in."""
    return frozenset(
        f"{entry.path}/" if entry.path else ""
        for entry in layer
        if entry.kind is EntryKind.OPAQUE
        or (
            entry.kind is not EntryKind.DIRECTORY
            and entry.path in below
            and below[entry.path].kind is EntryKind.DIRECTORY
        )
    )


def _ways(path: str) -> Iterator[str]:
    """Yield the directories that a path lies in, each with a slash; the root's has none."""
    if path:
        yield ""
    end = path.find("/")
    while end >= 0:
        yield path[: end + 1]
        end = path.find("/", end + 1)


def _file(listed: Listed, there: Files) -> File:
    entry = listed.entry
    if entry.kind is EntryKind.HARDLINK:
        if entry.target not in there:
            raise StoreError.one("a hard link of a layer names what is not there", place=entry.path)
        return there[entry.target]
    return File(
        kind=entry.kind,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        content=listed.content or entry.target or entry.rdev,
        xattrs=entry.xattrs,
    )


def _aspects(old: File, new: File) -> Iterator[Aspect]:
    if old.kind is not new.kind:
        yield "type"
    elif old.content != new.content:
        yield "content"
    if old.mode != new.mode:
        yield "mode"
    if (old.uid, old.gid) != (new.uid, new.gid):
        yield "owner"
    if old.xattrs != new.xattrs:
        yield "attributes"
