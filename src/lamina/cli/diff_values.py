"""The difference of two states of an image as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lamina.cli.printable import path_text, printable
from lamina.diff import (
    ContentDiff,
    File,
    FileChange,
    Group,
    ImageDiff,
    Label,
    Package,
    PackageChange,
    Turnover,
)
from lamina.model.built import Layer

T = TypeVar("T")


def diff_values(diff: ImageDiff) -> dict[str, Any]:
    """Return everything that the difference has; null for what one side does not tell."""
    return {
        "image": str(diff.image),
        "equal": diff.equal,
        "old": _label(diff.old),
        "new": _label(diff.new),
        "packages": [_package_change(change) for change in diff.packages],
        "groups": _turnover(diff.groups, _group) if diff.groups else None,
        **(_content(diff.content) if diff.content else _NO_CONTENT),
    }


_NO_CONTENT = {"files": None, "runtime": None, "layers": None, "fetch": None}


def _content(content: ContentDiff) -> dict[str, Any]:
    return {
        "files": [_file_change(change) for change in content.files],
        "runtime": [
            {"setting": change.name, "old": change.old, "new": change.new}
            for change in content.runtime
        ],
        "layers": _turnover(content.layers, _layer),
        "fetch": {"blobs": content.transfer.blobs, "prefix": content.transfer.prefix},
    }


def _label(label: Label) -> dict[str, Any]:
    return {"name": label.name, "manifest": str(label.manifest) if label.manifest else None}


def _package_change(change: PackageChange) -> dict[str, Any]:
    return {
        "package": change.name,
        "change": change.move,
        "growth": change.growth,
        "old": _package(change.old) if change.old else None,
        "new": _package(change.new) if change.new else None,
    }


def _package(package: Package) -> dict[str, Any]:
    return {
        "version": package.unit.version,
        "architecture": package.unit.architecture,
        "digest": str(package.unit.digest),
        "size": package.unit.size,
        "image": str(package.image),
    }


def _file_change(change: FileChange) -> dict[str, Any]:
    return {
        "path": path_text(change.path),
        "change": change.move,
        "what": list(change.aspects),
        "growth": change.growth,
        "old": _file(change.old) if change.old else None,
        "new": _file(change.new) if change.new else None,
    }


def _file(file: File) -> dict[str, Any]:
    return {
        "type": file.kind,
        "mode": f"{file.mode:04o}",
        "uid": file.uid,
        "gid": file.gid,
        "size": file.size,
        "content": printable(str(file.content or "")),
        "attributes": {printable(name): value.hex() for name, value in file.xattrs},
    }


def _turnover(things: Turnover[T], values: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    return {
        "kept": [values(thing) for thing in things.kept],
        "new": [values(thing) for thing in things.new],
        "gone": [values(thing) for thing in things.gone],
    }


def _group(group: Group) -> dict[str, Any]:
    return {"units": [unit.key for unit in group.units], "size": group.size}


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "digest": str(layer.digest),
        "size": layer.size,
        "apparent": layer.apparent,
        "units": list(layer.units),
    }
