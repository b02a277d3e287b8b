"""What to do when the file of an artifact cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

from lamina.fetch import REMEDIES, Cause
from lamina.model.lock import UnitRef


def artifact_remedies(ref: UnitRef) -> Mapping[Cause, str]:
    """Return what helps against each cause, `{file}` standing for the file's name."""
    # A path may hold braces, which mean themselves.
    mirror = mirror_setting(ref.repository, ref.path).replace("{", "{{").replace("}", "}}")
    if ref.pinned == "first sight":
        content = (
            "it is not what the lock pinned on first sight, and is not used; if its publisher "
            "says that {file} was exchanged, write its sha256 into the catalogue"
        )
    else:
        content = (
            "it is not what the catalogue's sha256 says, and is not used; compare both digests "
            f"with what the publisher tells, or {mirror}"
        )
    return {
        Cause.MISSING: f"look for the artifact's version and path, or {mirror}",
        Cause.CONTENT: content,
        Cause.MIRROR: f"check the network, or {mirror}",
        Cause.DISK: REMEDIES[Cause.DISK],
    }


def mirror_setting(place: str, path: str) -> str:
    """Return how to have a place's file from elsewhere."""
    return f'set [mirrors] {place} = "..." in lamina.toml to an address or folder that has {path}'
