"""Records of images as small artifacts of a registry (OCI image specification, manifest.md)."""

from __future__ import annotations

import json

from lamina.model.built import Built
from lamina.model.digest import Digest, canonical_json
from lamina.oci.descriptor import MANIFEST_TYPE, Descriptor

RECORD_TYPE = "application/vnd.lamina.built.v1+json"

EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
"""The configuration of an artifact that has none, as the specification has it."""

_MANIFEST = "org.lamina.manifest"
_MOST = 16 << 20  # bytes of a record; that of 300 packages takes a hundredth of it


def key_tag(key: Digest) -> str:
    """Return the tag under which the record of the image with this key lies."""
    return f"key-{key.hex}"


def record_manifest(built: Built, record: bytes) -> bytes:
    """Return the manifest of the artifact that holds `record`, what the store knows of `built`."""
    empty = Descriptor(media_type=EMPTY_TYPE, digest=Digest.of(EMPTY), size=len(EMPTY))
    blob = Descriptor(media_type=RECORD_TYPE, digest=Digest.of(record), size=len(record))
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": RECORD_TYPE,
            "config": empty.to_json(),
            "layers": [blob.to_json()],
            "annotations": {_MANIFEST: str(built.manifest)},
        }
    )


def read_record_manifest(manifest: bytes) -> Descriptor:
    """Return the descriptor of the record that an artifact holds; `ValueError` for another one."""
    try:
        raw = json.loads(manifest)
        (layer,) = raw["layers"]
        if raw["artifactType"] != RECORD_TYPE:
            raise ValueError("an artifact of another type")
        found = Descriptor.from_json(layer)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an artifact: {error}") from error
    if found.media_type != RECORD_TYPE or not 0 < found.size <= _MOST:
        raise ValueError("its content is no record")
    return found
