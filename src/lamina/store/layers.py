"""The layers of units that were written before: the same units are not compressed again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina.model.built import ENGINE, Layer, Part
from lamina.model.digest import Digest, canonical_json
from lamina.oci.claims import replace_file
from lamina.oci.disk import disk_faults
from lamina.oci.layer import CODEC
from lamina.oci.layout import Layout


def made_of(trees: Iterable[Digest]) -> Digest:
    """Return the name of the layer that these trees of units make, the topmost first."""
    return Digest.of(canonical_json([ENGINE, CODEC, [str(tree) for tree in trees]]))


@dataclass(frozen=True, slots=True)
class Layers:
    """Layers by what they were made of: records in `folder`, blobs in `layout`."""

    folder: Path
    work: Path
    layout: Layout

    def path(self, made_of: Digest) -> Path:
        """Return where the record of a layer lies if it is there."""
        return self.folder / made_of.hex

    def find(self, made_of: Digest) -> Layer | None:
        """Return the layer that was made of this, if its blob is there as long as it was.

        The content of a blob is checked when the image is used, as that of every other.
        """
        try:
            layer = layer_of(json.loads(self.path(made_of).read_bytes()))
            size = self.layout.blob_path(layer.digest).stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return layer if size == layer.size else None

    def keep(self, made_of: Digest, layer: Layer) -> None:
        """Record a layer whose blob is in the layout."""
        with disk_faults(self.folder):
            replace_file(self.path(made_of), canonical_json(plain_layer(layer)), aside=self.work)

    def all(self) -> Iterator[tuple[Digest, Layer | None]]:
        """Yield every record, with nothing where it cannot be used."""
        for path in sorted(self.folder.iterdir()):
            try:
                made_of = Digest(path.name)
            except ValueError:
                continue  # nothing of ours
            yield made_of, self.find(made_of)


def plain_layer(layer: Layer) -> dict[str, Any]:
    """Return a layer in JSON's own types."""
    return {
        "diff_id": str(layer.diff_id),
        "digest": str(layer.digest),
        "size": layer.size,
        "apparent": layer.apparent,
        "disk": layer.disk,
        "media_type": layer.media_type,
        "parts": [[part.unit, part.size, part.apparent] for part in layer.parts],
    }


def layer_of(raw: Any) -> Layer:
    """Read what `plain_layer` returned; `ValueError`, `KeyError` or `TypeError` for damage."""
    return Layer(
        diff_id=Digest.parse(raw["diff_id"]),
        digest=Digest.parse(raw["digest"]),
        size=raw["size"],
        apparent=raw["apparent"],
        disk=raw["disk"],
        media_type=raw["media_type"],
        parts=tuple(Part(unit=u, size=s, apparent=a) for u, s, a in raw["parts"]),
    )
