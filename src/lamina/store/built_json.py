"""What is known of a built image, as a JSON document that shows every change made to it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from lamina.model.built import Built, Inputs, Layer
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef

_FORMAT = 1


def to_json(built: Built) -> bytes:
    """Return the record as canonical JSON, with a digest of itself."""
    record = _plain(built)
    return canonical_json(
        {"format": _FORMAT, "built": record, "digest": str(Digest.of(canonical_json(record)))}
    )


def from_json(text: bytes) -> Built:
    """Read what `to_json` wrote; raise `ValueError` for anything else, were it one byte."""
    try:
        document = json.loads(text)
        if document["format"] != _FORMAT:
            raise ValueError(f"a record of format {document['format']!r}")
        record = document["built"]
        if document["digest"] != str(Digest.of(canonical_json(record))):
            raise ValueError("a record that was changed")
        return _built(record)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a record: {error}") from error


def _plain(built: Built) -> dict[str, Any]:
    """Return the record in JSON's own types."""
    return {
        "id": str(built.id),
        "key": str(built.key),
        "inputs": {
            "engine": built.inputs.engine,
            "parent": _text(built.inputs.parent),
            "calls": str(built.inputs.calls),
            "units": dict(built.inputs.units),
            "files": dict(built.inputs.files),
            "entry": str(built.inputs.entry),
        },
        "parent": _text(built.parent),
        "manifest": str(built.manifest),
        "manifest_size": built.manifest_size,
        "config": str(built.config),
        "units": [{**asdict(unit), "digest": str(unit.digest)} for unit in built.units],
        "trees": [str(tree) for tree in built.trees],
        "layers": [
            {
                "diff_id": str(layer.diff_id),
                "digest": str(layer.digest),
                "size": layer.size,
                "apparent": layer.apparent,
                "media_type": layer.media_type,
                "units": list(layer.units),
            }
            for layer in built.layers
        ],
        "own_layers": built.own_layers,
        "epoch": built.epoch,
        "seconds": built.seconds,
        "tested": _text(built.tested),
    }


def _built(raw: Any) -> Built:
    """Return the value of a record whose digest has been verified."""
    inputs = raw["inputs"]
    return Built(
        id=ImageId.parse(raw["id"]),
        key=Digest.parse(raw["key"]),
        inputs=Inputs(
            engine=inputs["engine"],
            parent=_digest(inputs["parent"]),
            calls=Digest.parse(inputs["calls"]),
            units=inputs["units"],
            files=inputs["files"],
            entry=Digest.parse(inputs["entry"]),
        ),
        parent=_digest(raw["parent"]),
        manifest=Digest.parse(raw["manifest"]),
        manifest_size=raw["manifest_size"],
        config=Digest.parse(raw["config"]),
        units=tuple(
            UnitRef(**{**unit, "digest": Digest.parse(unit["digest"])}) for unit in raw["units"]
        ),
        trees=tuple(Digest.parse(tree) for tree in raw["trees"]),
        layers=tuple(
            Layer(
                diff_id=Digest.parse(layer["diff_id"]),
                digest=Digest.parse(layer["digest"]),
                size=layer["size"],
                apparent=layer["apparent"],
                media_type=layer["media_type"],
                units=tuple(layer["units"]),
            )
            for layer in raw["layers"]
        ),
        own_layers=raw["own_layers"],
        epoch=raw["epoch"],
        seconds=raw["seconds"],
        tested=_digest(raw["tested"]),
    )


def _text(digest: Digest | None) -> str | None:
    """Return a digest's text, if there is one."""
    return str(digest) if digest else None


def _digest(text: str | None) -> Digest | None:
    """Return the digest of a text, if there is one."""
    return Digest.parse(text) if text else None
