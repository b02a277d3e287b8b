"""Everything that can be wrong with a lock file whose keys and types are right."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from lamina.lock.artifact_entry import ArtifactEntry, PlacementEntry
from lamina.lock.entry import FileEntry, ImageEntry, UnitEntry
from lamina.lock.layer_audit import layer_findings
from lamina.lock.position import Finding
from lamina.model.artifact import packing_of
from lamina.model.digest import Digest
from lamina.model.lock import artifact_name
from lamina.model.spelling import did_you_mean

_WORDS = {
    # A unit's key names files: nothing in it may lead out of a folder.
    "name": re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*"),
    "version": re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]*"),
    "architecture": re.compile(r"[a-z0-9][a-z0-9-]*"),
    "repository": re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*"),
}
_ARTIFACT_KEY = re.compile(rf"{artifact_name('')}[^_]+_[^_]+_[^_]+")
_MODE = re.compile(r"[0-7]{4}")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_HOST = re.compile(r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?|[a-z0-9.-]+:\d+)/", re.IGNORECASE)
_RELATIVE = "write it relative to the repository's root: pool/main/..."
_PLACES = {
    "from": re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|$))[^\x00-\x1f]*"),
    "to": re.compile(r"(?!.*//)(?!(?:.*/)\.\.?(?:/|$))/[^\x00-\x1f]+"),
}

Keys = tuple[int | str, ...]


def findings_in(file: FileEntry) -> list[Finding]:
    """Return every fault of the content."""
    return [
        *_in_indices(file),
        *_in_units(file),
        *_in_artifacts(file),
        *_repeated("layers", [entry.id for entry in file.layers]),
        *layer_findings(file),
        *_in_parents(file.images),
        *_in_images(file),
    ]


def _in_indices(file: FileEntry) -> Iterator[Finding]:
    yield from _digest(("catalog",), file.catalog)
    for number, entry in enumerate(file.indices):
        keys: Keys = ("indices", number)
        yield from _digest((*keys, "digest"), entry.digest)
        if not _DATE.fullmatch(entry.date):
            message = f"'{entry.date}' is not a date like 2025-08-09T10:11:12Z"
            yield Finding(keys=(*keys, "date"), message=message)


def _in_units(file: FileEntry) -> Iterator[Finding]:
    yield from _repeated("units", [entry.key for entry in file.units])
    for number, entry in enumerate(file.units):
        yield from _in_unit(("units", number), entry)


def _in_unit(keys: Keys, entry: UnitEntry) -> Iterator[Finding]:
    yield from _digest((*keys, "digest"), entry.digest)
    for name, pattern in _WORDS.items():
        value = getattr(entry, name)
        if not pattern.fullmatch(value):
            yield Finding(keys=(*keys, name), message=f"'{value}' cannot be a package's {name}")
    if entry.size <= 0:
        yield Finding(keys=(*keys, "size"), message=f"{entry.size} is not the size of a file")
    if fault := "names a host" if _HOST.match(entry.path) else _path_fault(entry.path):
        message = f"the path '{entry.path}' {fault}"
        yield Finding(keys=(*keys, "path"), message=message, remedy=_RELATIVE)


def _in_artifacts(file: FileEntry) -> Iterator[Finding]:
    yield from _repeated("artifacts", [entry.key for entry in file.artifacts])
    for number, entry in enumerate(file.artifacts):
        yield from _in_artifact(("artifacts", number), entry)


def _in_artifact(keys: Keys, entry: ArtifactEntry) -> Iterator[Finding]:
    yield from _digest((*keys, "digest"), entry.digest)
    words = {**_WORDS, "source": _WORDS["repository"]}
    for name in ("name", "version", "architecture", "source"):
        value = getattr(entry, name)
        if not words[name].fullmatch(value):
            yield Finding(keys=(*keys, name), message=f"'{value}' cannot be an artifact's {name}")
    if entry.size is not None and entry.size <= 0:
        yield Finding(keys=(*keys, "size"), message=f"{entry.size} is not the size of a file")
    if fault := _path_fault(entry.path):
        message = f"the path '{entry.path}' {fault}"
        remedy = "write it relative to the address of its place"
        yield Finding(keys=(*keys, "path"), message=message, remedy=remedy)
    try:
        packing_of(entry.path)
    except ValueError as error:
        yield Finding(keys=(*keys, "path"), message=str(error))
    if not entry.install:
        message = f"nothing of {entry.name} is installed"
        yield Finding(keys=(*keys, "install"), message=message)
    for place, line in enumerate(entry.install):
        yield from _in_placement((*keys, "install", place), line)


def _in_placement(keys: Keys, entry: PlacementEntry) -> Iterator[Finding]:
    for name, value in (("from", entry.source), ("to", entry.to)):
        if not _PLACES[name].fullmatch(value):
            yield Finding(keys=(*keys, name), message=f"'{value}' leads elsewhere")
    if not entry.source and entry.to.endswith("/"):
        yield Finding(keys=(*keys, "to"), message=f"'{entry.to}' is a folder")
    if entry.mode is not None and not _MODE.fullmatch(entry.mode):
        yield Finding(keys=(*keys, "mode"), message=f"'{entry.mode}' is not a mode like 0755")
    for name, number in (("uid", entry.uid), ("gid", entry.gid)):
        if not 0 <= number < 2**32 - 1:
            yield Finding(keys=(*keys, name), message=f"{number} is nobody's id")


def _path_fault(path: str) -> str:
    if "://" in path:
        return "names a host"
    if path.startswith("/"):
        return "is absolute"
    if ".." in path.split("/"):
        return "leads out of the repository"
    if not path or path.endswith("/") or not path.isprintable():
        return "is not the path of a file"
    return ""


def _in_parents(images: Sequence[ImageEntry]) -> Iterator[Finding]:
    yield from _repeated("images", [entry.id for entry in images])
    names = {entry.id for entry in images}
    seen: set[str] = set()
    for number, entry in enumerate(images):
        keys: Keys = ("images", number, "parent")
        if entry.parent is not None and entry.parent not in names:
            message = f"the parent '{entry.parent}' of {entry.id} is no image of the lock"
            yield Finding(keys=keys, message=message, remedy=did_you_mean(entry.parent, names))
        elif entry.parent is not None and entry.parent not in seen:
            message = f"{entry.id} stands before its parent '{entry.parent}'"
            yield Finding(keys=keys, message=message, remedy="parents come first")
        seen.add(entry.id)


def _in_images(file: FileEntry) -> Iterator[Finding]:
    known = {entry.key for entry in file.units}
    artifacts = {entry.key for entry in file.artifacts}
    for number, entry in enumerate(file.images):
        keys: Keys = ("images", number)
        yield from _digest((*keys, "request"), entry.request)
        if entry.bootstrap and entry.parent is not None:
            message = f"{entry.id} has a parent and a bootstrap: only an image without parent may"
            yield Finding(keys=(*keys, "bootstrap"), message=message)
        for place, unit in _named_units(keys, entry):
            if unit not in known:
                message = f"{entry.id} has the unit '{unit}', which the lock does not describe"
                yield Finding(keys=place, message=message, remedy=did_you_mean(unit, known))
        yield from _in_calls(keys, entry)
        yield from _in_own_artifacts(keys, entry, artifacts)


def _in_own_artifacts(keys: Keys, entry: ImageEntry, known: Collection[str]) -> Iterator[Finding]:
    for number, key in enumerate(entry.artifacts):
        if key not in known:
            message = f"{entry.id} has '{key}', which the lock does not describe"
            place = (*keys, "artifacts", number)
            yield Finding(keys=place, message=message, remedy=did_you_mean(key, known))
    for number, key in enumerate(entry.unpinned):
        place = (*keys, "unpinned", number)
        if key in known:
            yield Finding(keys=place, message=f"'{key}' of {entry.id} is pinned")
        elif not _ARTIFACT_KEY.fullmatch(key):
            yield Finding(keys=place, message=f"'{key}' is not an artifact")


def _in_calls(keys: Keys, entry: ImageEntry) -> Iterator[Finding]:
    unpacked = set(entry.bootstrap)
    for number, call in enumerate(entry.calls):
        for position, unit in enumerate(call.units):
            place = (*keys, "calls", number, "units", position)
            if call.action == "unpack" and unit in unpacked:
                message = f"{entry.id} unpacks '{unit}' a second time"
                yield Finding(keys=place, message=message)
            elif call.action == "unpack":
                unpacked.add(unit)
            elif unit not in unpacked:
                message = f"{entry.id} configures '{unit}' before it is unpacked"
                yield Finding(keys=place, message=message)


def _named_units(keys: Keys, entry: ImageEntry) -> Iterator[tuple[Keys, str]]:
    for number, unit in enumerate(entry.bootstrap):
        yield (*keys, "bootstrap", number), unit
    for number, call in enumerate(entry.calls):
        for position, unit in enumerate(call.units):
            yield (*keys, "calls", number, "units", position), unit


def _repeated(name: str, values: Sequence[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield Finding(keys=(name, number), message=f"'{value}' is listed twice")
        seen.add(value)


def _digest(keys: Keys, text: str) -> Iterator[Finding]:
    try:
        Digest.parse(text)
    except ValueError:
        yield Finding(keys=keys, message=f"'{text}' is not a sha256 digest")
