"""The storage report as JSON's own values, in the form that scripts rely on; sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from lamina.cli.storage_text import By
from lamina.errors import Fault
from lamina.storage import (
    DeltaStorage,
    ImageStorage,
    LayerStorage,
    LayerUpdate,
    PackageStorage,
    Size,
    StorageReport,
    Update,
    WhatIf,
)


def report_values(report: StorageReport, by: By, faults: Sequence[Fault]) -> dict[str, Any]:
    """Return the report with one list of its parts, and what exceeds a limit."""
    return {
        "fleet": {
            **_sizes(
                {
                    "apparent": report.apparent,
                    "unique": report.unique,
                    "shared": report.shared,
                    "lower_bound": report.lower_bound,
                },
                {"ratio": report.compressed_ratio},
            ),
            "ratio": report.ratio,
            "layers": len(report.layers),
            "registry": report.registry,
            "node": {"uncompressed": report.node.uncompressed, "disk": report.node.disk},
        },
        "what_if": {one.name: _what_if(one) for one in report.what_if},
        "answer": report.answer,
        "exceeded": [
            {"place": fault.place, "message": fault.message, "remedy": fault.remedy}
            for fault in faults
        ],
        **_parts(report, by),
    }


def update_values(update: Update) -> dict[str, Any]:
    """Return what an update costs."""
    return {
        "size": update.size.uncompressed,
        "compressed": {"size": update.size.compressed},
        "documents": update.documents,
        "estimated": update.estimated,
        "images": [str(image) for image in update.images],
        "layers": [_layer_update(layer) for layer in update.layers],
    }


def _parts(report: StorageReport, by: By) -> dict[str, Any]:
    match by:
        case By.IMAGE:
            return {"images": [_image(image) for image in report.images]}
        case By.LAYER:
            return {"layers": [_layer(layer) for layer in report.layers]}
        case By.PACKAGE:
            return {"packages": [_package(package) for package in report.packages]}
        case By.DELTA:
            return {"deltas": [_delta(delta) for delta in report.deltas]}
    assert_never(by)


def _image(image: ImageStorage) -> dict[str, Any]:
    return {
        "image": str(image.id),
        "kind": image.kind,
        "type": image.id.type,
        "family": image.family,
        "parent": str(image.parent) if image.parent else None,
        "layers": image.layers,
        **_sizes(
            {
                "apparent": image.apparent,
                "exclusive": image.exclusive,
                "shared": image.shared,
                "amortised": image.amortised,
                "own": image.own,
                "delta": image.delta,
            }
        ),
    }


def _layer(layer: LayerStorage) -> dict[str, Any]:
    return {
        "digest": str(layer.digest),
        **_sizes({"size": layer.size}),
        "images": layer.images,
        "packages": list(layer.packages),
        "delta_of": [str(image) for image in layer.delta_of],
    }


def _package(package: PackageStorage) -> dict[str, Any]:
    return {
        "package": package.name,
        "version": package.version,
        **_sizes({"size": package.size}),
        "images": package.images,
        "stored": package.stored,
    }


def _delta(delta: DeltaStorage) -> dict[str, Any]:
    return {
        "image": str(delta.image),
        "files": delta.files,
        **_sizes({"size": delta.size}),
        "parts": [{"name": part.name, "size": part.size} for part in delta.parts],
    }


def _what_if(one: WhatIf) -> dict[str, Any]:
    return {
        "title": one.title,
        **_sizes({"size": one.size}, {"ratio": one.compressed_ratio}),
        "ratio": one.ratio,
    }


def _layer_update(layer: LayerUpdate) -> dict[str, Any]:
    return {
        "group": layer.group or None,
        "images": [str(image) for image in layer.images],
        **_sizes({"size": layer.size}),
        "estimated": layer.estimated,
        "causes": list(layer.causes),
    }


def _sizes(
    sizes: Mapping[str, Size], compressed: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return sizes uncompressed, and below `compressed` and `disk` those, as far as known."""
    disk = {name: size.disk for name, size in sizes.items() if size.disk is not None}
    return {
        **{name: size.uncompressed for name, size in sizes.items()},
        "compressed": {
            **{name: size.compressed for name, size in sizes.items()},
            **(compressed or {}),
        },
        **({"disk": disk} if disk else {}),
    }
