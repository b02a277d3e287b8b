"""Descriptors: how OCI documents name each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lamina.model.digest import Digest

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
GZIP_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """The type, digest and size of a blob, and what is said of it."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as a JSON object."""
        plain: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        return {**plain, "annotations": dict(self.annotations)} if self.annotations else plain

    @classmethod
    def from_json(cls, raw: Any) -> Descriptor:
        """Read a JSON object; raise `ValueError` when it is not a descriptor."""
        match raw:
            case {"mediaType": str(media_type), "digest": str(digest), "size": int(size)}:
                annotations = raw.get("annotations") or {}
                if isinstance(annotations, dict) and _all_text(annotations):
                    return cls(
                        media_type=media_type,
                        digest=Digest.parse(digest),
                        size=size,
                        annotations=annotations,
                    )
        raise ValueError("not an OCI descriptor")


def _all_text(annotations: Mapping[Any, Any]) -> bool:
    """Tell whether all keys and values are text."""
    return all(isinstance(text, str) for item in annotations.items() for text in item)
