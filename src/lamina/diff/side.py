"""One of the two states of an image that are compared, with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.diff.files import Files
from lamina.diff.groups import Group
from lamina.diff.packages import Packages
from lamina.diff.transfer import Blobs
from lamina.model.digest import Digest
from lamina.model.image import ImageId, Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a built image consists of."""

    manifest: Digest
    blobs: Blobs
    files: Files
    runtime: Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """An image as a lock has it, as it was built, or both; None for what is not known."""

    name: str  # as people said it: `previous`, `sha256:...`, the lock's path
    image: ImageId
    packages: Packages
    groups: tuple[Group, ...] | None
    content: Content | None
