"""Artifacts: small things other than images in a registry (OCI image specification, manifest.md).

A registry keeps them as it keeps images, and shows their type to whoever asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lamina.model.digest import Digest, canonical_json
from lamina.oci.descriptor import MANIFEST_TYPE, Descriptor

EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
"""The configuration of an artifact, which has none, and the content of one without content."""

_MOST = 64 << 20  # bytes of content; the largest of lamina's own takes a hundredth of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An artifact with its content."""

    type: str
    content: bytes = EMPTY
    annotations: Mapping[str, str] = field(default_factory=dict)

    def manifest(self) -> bytes:
        """Return its manifest."""
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": self.type,
                "config": _descriptor(EMPTY, EMPTY_TYPE).to_json(),
                "layers": [_descriptor(self.content, self._content_type).to_json()],
                **({"annotations": dict(self.annotations)} if self.annotations else {}),
            }
        )

    @property
    def _content_type(self) -> str:
        return EMPTY_TYPE if self.content == EMPTY else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactHead:
    """What an artifact's manifest says."""

    content: Descriptor
    annotations: Mapping[str, str]


def read_artifact(manifest: bytes, type_: str) -> ArtifactHead:
    """Return what the manifest of an artifact of this type says; `ValueError` for another one."""
    try:
        raw = json.loads(manifest)
        (layer,) = raw["layers"]
        if raw["artifactType"] != type_:
            raise ValueError("an artifact of another type")
        content = Descriptor.from_json(layer)
        # Read as a descriptor's are, which checks that all are text.
        said = Descriptor.from_json({**layer, "annotations": raw.get("annotations")}).annotations
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an artifact: {error}") from error
    if not 0 < content.size <= _MOST:
        raise ValueError(f"its content has {content.size} bytes")
    return ArtifactHead(content=content, annotations=said)


def _descriptor(content: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))
