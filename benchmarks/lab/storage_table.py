"""Writes the measured tables of docs/storage.md: the fleet of the store, and a synthetic one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.lab.document import fill
from benchmarks.lab.synthetic import synthetic_fleet
from lamina.layering import Content, Layering, make_layering
from lamina.model.amounts import size_text
from lamina.model.built import Built, Inputs, Layer, Part
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import LAYER_BUDGET, UnitRef
from lamina.storage import Fleet, Line, make_report

_DOCUMENT = Path(__file__).parents[2] / "docs" / "storage.md"
_IMAGES, _PACKAGES = 1000, 5000
_NONE = Digest.of(b"")


def main() -> None:
    """Measure both fleets and write their tables in their places."""
    fill(_DOCUMENT, {"default-fleet": _default_fleet(), "synthetic-fleet": _synthetic_fleet()})


def _default_fleet() -> str:
    told = subprocess.run(
        [sys.executable, "-m", "lamina", "storage", "--json"], check=True, stdout=subprocess.PIPE
    )
    report = json.loads(told.stdout)
    lines = ["| Layers | Uncompressed | To lower bound | Compressed | To lower bound |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for one in report["what_if"].values():
        lines.append(
            f"| {one['title']} | {size_text(one['size'])} | {one['ratio']:.3f} "
            f"| {size_text(one['compressed']['size'])} | {one['compressed']['ratio']:.3f} |"
        )
    return "\n".join([*lines, "", _summary(report), "", f"In words: {report['answer']}."])


def _summary(report: Mapping[str, Any]) -> str:
    fleet = report["fleet"]
    registry, node = size_text(fleet["registry"]), size_text(fleet["node"]["disk"])
    return (
        f"{len(report['images'])} images, {fleet['layers']} layers; a registry holds {registry}, "
        f"a node with all of them {node}."
    )


def _synthetic_fleet() -> str:
    contents = synthetic_fleet(_IMAGES, _PACKAGES)
    layering = make_layering(contents, budget=LAYER_BUDGET)
    report = make_report(_built(contents, layering))
    lines = ["| Layers | Uncompressed | To lower bound |", "|---|---:|---:|"]
    for one in report.what_if:
        size = size_text(one.size.uncompressed)
        lines.append(f"| {one.title} | {size} | {one.ratio:.3f} |")
    most = max(image.layers for image in report.images)
    counts = (
        f"{len(report.images)} images, {len(report.layers)} layers, at most {most} in an image."
    )
    return "\n".join([*lines, "", counts])


def _built(contents: tuple[Content, ...], layering: Layering) -> Fleet:
    """Return the fleet as if it were built: a layer for each group, no deltas."""
    lines: dict[ImageId, Line] = {}
    for content in contents:
        below = lines[content.parent] if content.parent else ()
        lines[content.image] = (*below, _image(content, layering, below))
    return Fleet(
        lines=tuple(lines.values()),
        families=dict.fromkeys(lines, ""),
        configs={_NONE: 0},
        squashes={},
        deltas={},
    )


def _image(content: Content, layering: Layering, below: Line) -> Built:
    units = {unit.name: unit for unit in content.units}
    own = []
    for group in layering.images[content.image]:
        held = [units[name] for name in layering.groups[group]]
        digest = Digest.of(" ".join(unit.key for unit in held).encode())
        size = sum(unit.size for unit in held)
        own.append(
            Layer(
                diff_id=digest,
                digest=digest,
                size=size,
                apparent=size,
                disk=size,
                media_type="",
                parts=tuple(
                    Part(unit=unit.key, size=unit.size, apparent=unit.size) for unit in held
                ),
            )
        )
    return Built(
        id=content.image,
        key=_NONE,
        inputs=_INPUTS,
        parent=below[-1].manifest if below else None,
        manifest=Digest.of(str(content.image).encode()),
        manifest_size=0,
        config=_NONE,
        units=tuple(_ref(unit.key) for unit in content.units),
        trees={},
        layers=(*(below[-1].layers if below else ()), *own),
        own_layers=len(own),
        epoch=0,
        seconds=0.0,
    )


def _ref(key: str) -> UnitRef:
    name, version, architecture = key.split("_")
    return UnitRef(
        name=name,
        version=version,
        architecture=architecture,
        repository="",
        path="",
        size=0,
        digest=_NONE,
    )


_INPUTS = Inputs(
    engine=0, codec="", parent=None, calls=_NONE, layers=_NONE, units={}, files={}, entry=_NONE
)

if __name__ == "__main__":
    main()
