"""Changes and the way back, on disk: every file of a tree, or none.

New contents are written beside the files first. The record is complete before any file is
replaced, so that whatever happens after that, `revert` gives back what was there: it takes each
file as it was before or as it was to be.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lamina.errors import Fault, StoreError, UsageError
from lamina.migrate.migration import Change
from lamina.migrate.record import (
    FORMAT,
    Changed,
    Record,
    parse_record,
    print_record,
    record_path,
    step_of,
    text_digest,
    undone,
)
from lamina.migrate.tree import ASIDE, decoded, encoded, resolved
from lamina.model.names import Scheme
from lamina.oci.disk import disk_faults

_UNIQUE = 8  # bytes that no other run has in its files' names
_CHANGED = "it has changed since it was moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """What became of a tree's files, by path."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]  # as they were before already


def write_changes(root: Path, changes: Sequence[Change], scheme: Scheme) -> None:
    """Change the files of the tree at `root`, and record how it was; no changes: do nothing.

    Raises `UsageError` when a file is not what it was when it was read, and `StoreError` where the
    disk refuses; then nothing is changed.
    """
    if not changes:
        return
    at = record_path(root)
    places = {_place(root, change.path): change for change in changes}
    with disk_faults(root, "folder"):
        UsageError.raise_all(
            [
                Fault(str(place), "it changed while it was looked at", "run `apply` again")
                for place, change in places.items()
                if place.read_bytes() != encoded(change.old)
            ]
        )
        before = at.read_bytes() if at.exists() else None
        earlier = parse_record(before, str(at)).steps if before is not None else ()
        record = Record(format=FORMAT, scheme=scheme, steps=(*earlier, step_of(changes)))
        _sweep((*places, at))
        with _Replacement() as replacement:
            for place, change in places.items():
                replacement.add(place, encoded(change.new))
            # First of all: what is replaced without a record cannot be had back.
            replacement.add_first(at, print_record(record))
            replacement.replace({place: encoded(one.old) for place, one in places.items()}, before)


def revert(root: Path) -> Reverted:
    """Give back the bytes that the tree's files had before the first change, and end the record.

    Raises `UsageError` when there is no record, or for every file that has changed since; then
    nothing is reverted.
    """
    at = record_path(root)
    with disk_faults(root, "folder"):
        if not at.exists():
            raise UsageError.one(
                "nothing to revert: there is no record of a migration",
                place=str(at),
                remedy="name the tree as it was named for `lamina migrate apply`",
            )
        record = parse_record(at.read_bytes(), str(at))
        texts, now = originals(root, record)
        changed = {path: text for path, text in texts.items() if text != now[path]}
        with _Replacement() as replacement:
            for path, text in changed.items():
                replacement.add(_place(root, path), encoded(text))
            replacement.replace({_place(root, path): encoded(now[path]) for path in changed}, None)
        at.unlink()
        _sweep((*(_place(root, path) for path in now), at))
    return Reverted(
        written=tuple(sorted(changed)), unchanged=tuple(sorted(now.keys() - changed.keys()))
    )


def read_record(root: Path) -> Record | None:
    """Return the record of the tree at `root`, if there is one."""
    at = record_path(root)
    return parse_record(at.read_bytes(), str(at)) if at.exists() else None


def originals(root: Path, record: Record) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the texts that recorded files had before, and those that they have now.

    Raises `UsageError` for every file that is neither as it was nor as it was to be.
    """
    now: dict[str, str] = {}
    texts: dict[str, str] = {}
    faults = []
    history: dict[str, list[Changed]] = {}
    for step in record.steps:
        for changed in step:
            history.setdefault(changed.path, []).append(changed)
    for path, steps in history.items():
        try:
            now[path] = text = _text(root, path)
            # A run that was killed may have left the file at any of its steps.
            for changed in reversed(steps):
                if text_digest(text) == changed.after:
                    text = undone(text, changed)
        except (OSError, ValueError):
            text = None
        if text is None or text_digest(text) != steps[0].before:
            faults.append(Fault(str(_place(root, path)), _CHANGED, _TAKE_BACK))
        else:
            texts[path] = text
    UsageError.raise_all(faults)
    return texts, now


_TAKE_BACK = "take back what was changed by hand, or take the file from version control"


def _text(root: Path, path: str) -> str:
    return decoded(_place(root, path).read_bytes())


def _place(root: Path, path: str) -> Path:
    """Return where a file of the tree lies; raise `UsageError` for a path that leads out of it."""
    place = root / path if root.is_dir() else root
    if not resolved(place).is_relative_to(root):
        raise UsageError.one("leads out of the tree", place=path, remedy="the record is not ours")
    return place


class _Replacement:
    """New contents of files, written aside, which take their places together or not at all."""

    def __init__(self) -> None:
        self._aside: dict[Path, Path] = {}

    def __enter__(self) -> _Replacement:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what has not taken its place."""
        for aside in self._aside.values():
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def add(self, place: Path, content: bytes) -> None:
        """Write the new content of `place` beside it."""
        self._aside[place] = _written(place, content)

    def add_first(self, place: Path, content: bytes) -> None:
        """Write content that is to take its place before all other."""
        self._aside = {place: _written(place, content), **self._aside}

    def replace(self, before: Mapping[Path, bytes], first: bytes | None) -> None:
        """Let everything take its place; where one cannot, put back `before` and `first`."""
        done = []
        try:
            for place, aside in self._aside.items():
                done.append(place)
                aside.replace(place)
                if len(done) == 1:
                    _sync(place.parent)
        except BaseException:
            for place in reversed(done):
                if self._aside[place].exists():
                    continue  # it has not taken its place
                content = before.get(place, first)
                if content is None:
                    place.unlink(missing_ok=True)
                else:
                    _written(place, content).replace(place)
            raise


def _sync(folder: Path) -> None:
    """Return once a folder's new names are on disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _give(aside: Path, place: Path) -> None:
    """Give `aside` the owner and group of `place`; raise `StoreError` where one may not."""
    state = place.stat()
    try:
        os.chown(aside, state.st_uid, state.st_gid)
    except PermissionError as error:
        raise StoreError.one(
            "a new file cannot have its owner and group",
            place=str(place),
            remedy="run as root, or give it an owner and a group that are yours",
        ) from error


def _copy_attributes(place: Path, aside: Path) -> None:
    """Give `aside` the lists of access and labels of `place`, as far as the file system lets."""
    with suppress(OSError):
        for name in os.listxattr(place):
            with suppress(OSError):
                os.setxattr(aside, name, os.getxattr(place, name))


def _aside_of(place: Path) -> str:
    """Return what the names of files that are to replace the one at `place` begin with."""
    return f"{ASIDE}{sha256(os.fsencode(place.name)).hexdigest()[:16]}-"


def _sweep(places: Iterable[Path]) -> None:
    """Remove what a run that was killed has left beside `places`."""
    folders: dict[Path, set[str]] = {}
    for place in places:
        folders.setdefault(place.parent, set()).add(_aside_of(place))
    for folder, ours in folders.items():
        for left in folder.glob(f"{ASIDE}*"):
            if left.name[: -2 * _UNIQUE] in ours:
                left.unlink(missing_ok=True)


def _written(place: Path, content: bytes) -> Path:
    """Return a new file beside `place` with `content`, safely on disk, with that one's rights."""
    aside = place.with_name(f"{_aside_of(place)}{secrets.token_hex(_UNIQUE)}")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            _give(aside, place)
            _copy_attributes(place, aside)
            shutil.copymode(place, aside)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside
