"""Records of images as small artifacts of a registry."""

from __future__ import annotations

from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.oci.artifact import Artifact, read_artifact
from lamina.store.built_json import to_json

RECORD_TYPE = "application/vnd.lamina.built.v1+json"

_MANIFEST = "org.lamina.manifest"


def key_tag(key: Digest) -> str:
    """Return the tag under which the record of the image with this key lies."""
    return f"key-{key.hex}"


def recorded_manifest(manifest: bytes) -> Digest | None:
    """Return the image that the record with this manifest tells of; None for anything else."""
    try:
        return Digest.parse(read_artifact(manifest, RECORD_TYPE).annotations.get(_MANIFEST, ""))
    except ValueError:
        return None


def record_artifact(built: Built) -> Artifact:
    """Return what the store knows of an image as an artifact."""
    return Artifact(
        type=RECORD_TYPE, content=to_json(built), annotations={_MANIFEST: str(built.manifest)}
    )
