"""How two states of an image differ, as far as both are known."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.diff.files import FileChange, changed_files
from lamina.diff.groups import Group, changed_groups
from lamina.diff.packages import PackageChange, changed_packages
from lamina.diff.runtime import SettingChange, changed_settings
from lamina.diff.side import Content, Side
from lamina.diff.transfer import Transfer, transfer
from lamina.diff.turnover import Turnover, turnover
from lamina.model.built import Layer
from lamina.model.digest import Digest
from lamina.model.image import ImageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a side was called, and its manifest if it is built."""

    name: str
    manifest: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDiff:
    """How two built images differ."""

    files: tuple[FileChange, ...]
    runtime: tuple[SettingChange, ...]
    layers: Turnover[Layer]
    transfer: Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDiff:
    """How two states of an image differ; None for what one of them does not tell."""

    image: ImageId
    old: Label
    new: Label
    packages: tuple[PackageChange, ...]
    groups: Turnover[Group] | None  # of two locks
    content: ContentDiff | None  # of two built images

    @property
    def equal(self) -> bool:
        """Whether there is no difference in what both sides tell."""
        if self.content and self.old.manifest != self.new.manifest:
            return False
        return not self.packages and (self.groups is None or self.groups.nothing)


def compare(old: Side, new: Side) -> ImageDiff:
    """Return how `new` differs from `old`, two states of one image."""
    return ImageDiff(
        image=new.image,
        old=_label(old),
        new=_label(new),
        packages=changed_packages(old.packages, new.packages),
        groups=(
            None
            if old.groups is None or new.groups is None
            else changed_groups(old.groups, new.groups)
        ),
        content=(
            None
            if old.content is None or new.content is None
            else _content_diff(old.content, new.content)
        ),
    )


def _content_diff(old: Content, new: Content) -> ContentDiff:
    return ContentDiff(
        files=changed_files(old.files, new.files),
        runtime=changed_settings(old.runtime, new.runtime),
        layers=turnover(old.blobs.layers, new.blobs.layers, _digest),
        transfer=transfer(old.blobs, new.blobs),
    )


def _digest(layer: Layer) -> Digest:
    return layer.digest


def _label(side: Side) -> Label:
    return Label(name=side.name, manifest=side.content.manifest if side.content else None)
