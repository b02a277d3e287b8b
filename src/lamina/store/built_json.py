"""What is known of a built image, as a JSON document that shows every change made to it."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from lamina.model.artifact import Placement, Recipe
from lamina.model.built import Built, Inputs
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef
from lamina.store.layers import layer_of, plain_layer

_HEAD = b'{"built":'
_TAIL = b',"digest":"%b","format":1}'

# Images of a fleet name mostly the same digests.
_parse = lru_cache(maxsize=1 << 16)(Digest.parse)


def to_json(built: Built) -> bytes:
    """Return the record as canonical JSON, with a digest of itself."""
    record = canonical_json(_plain(built))
    return _HEAD + record + _tail(record)


def from_json(text: bytes) -> Built:
    """Read what `to_json` wrote; raise `ValueError` for anything else, were it one byte."""
    record = text[len(_HEAD) : -len(_tail(b""))]
    if text != _HEAD + record + _tail(record):
        raise ValueError("it is not as it was written")
    try:
        return _built(json.loads(record))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record: {error}") from error


def _tail(record: bytes) -> bytes:
    """Return what follows a record in its document: its digest, and the format."""
    return _TAIL % str(Digest.of(record)).encode()


def _plain(built: Built) -> dict[str, Any]:
    """Return the record in JSON's own types."""
    return {
        "id": str(built.id),
        "key": str(built.key),
        "inputs": {
            "engine": built.inputs.engine,
            "codec": built.inputs.codec,
            "parent": _text(built.inputs.parent),
            "calls": str(built.inputs.calls),
            "layers": str(built.inputs.layers),
            "units": dict(built.inputs.units),
            "files": dict(built.inputs.files),
            "entry": str(built.inputs.entry),
        },
        "parent": _text(built.parent),
        "manifest": str(built.manifest),
        "manifest_size": built.manifest_size,
        "config": str(built.config),
        "units": [_unit(unit) for unit in built.units],
        "trees": [[unit, str(tree)] for unit, tree in built.trees.items()],
        "layers": [plain_layer(layer) for layer in built.layers],
        "own_layers": built.own_layers,
        "epoch": built.epoch,
        "seconds": built.seconds,
        "tested": _text(built.tested),
    }


def _unit(unit: UnitRef) -> dict[str, Any]:
    """Return a unit in JSON's own types."""
    return {
        "name": unit.name,
        "version": unit.version,
        "architecture": unit.architecture,
        "repository": unit.repository,
        "path": unit.path,
        "size": unit.size,
        "digest": str(unit.digest),
        **_artifact(unit),
    }


def _artifact(unit: UnitRef) -> dict[str, Any]:
    """Return what only an artifact has, in JSON's own types."""
    if unit.recipe is None:
        return {}
    return {"pinned": unit.pinned, "recipe": asdict(unit.recipe)}


def _built(raw: Any) -> Built:
    """Return the value of a record whose digest has been verified."""
    inputs = raw["inputs"]
    return Built(
        id=ImageId.parse(raw["id"]),
        key=_parse(raw["key"]),
        inputs=Inputs(
            engine=inputs["engine"],
            codec=inputs["codec"],
            parent=_digest(inputs["parent"]),
            calls=_parse(inputs["calls"]),
            layers=_parse(inputs["layers"]),
            units=inputs["units"],
            files=inputs["files"],
            entry=_parse(inputs["entry"]),
        ),
        parent=_digest(raw["parent"]),
        manifest=_parse(raw["manifest"]),
        manifest_size=raw["manifest_size"],
        config=_parse(raw["config"]),
        units=tuple(map(_ref, raw["units"])),
        trees={unit: _parse(tree) for unit, tree in raw["trees"]},
        layers=tuple(layer_of(layer) for layer in raw["layers"]),
        own_layers=raw["own_layers"],
        epoch=raw["epoch"],
        seconds=raw["seconds"],
        tested=_digest(raw["tested"]),
    )


def _ref(raw: Any) -> UnitRef:
    """Return a unit of a record."""
    recipe = raw.get("recipe")
    return UnitRef(
        **{
            **raw,
            "digest": _parse(raw["digest"]),
            "recipe": recipe and Recipe(install=_placements(recipe), date=recipe["date"]),
        }
    )


def _placements(recipe: Any) -> tuple[Placement, ...]:
    """Return what of an artifact goes where."""
    return tuple(
        Placement(**{**line, "without": tuple(line["without"])}) for line in recipe["install"]
    )


def _text(digest: Digest | None) -> str | None:
    """Return a digest's text, if there is one."""
    return str(digest) if digest else None


def _digest(text: str | None) -> Digest | None:
    """Return the digest of a text, if there is one."""
    return _parse(text) if text else None
