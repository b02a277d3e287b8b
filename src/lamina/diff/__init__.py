"""What changed between two states of an image: pure functions from two sides to their difference.

A side is an image of a lock, a built image, or both; they are compared as far as both tell.
"""

from lamina.diff.files import File, FileChange, Files, final_files
from lamina.diff.folders import FolderChange, by_folder
from lamina.diff.groups import Group, groups_of
from lamina.diff.image import ContentDiff, ImageDiff, Label, compare
from lamina.diff.packages import (
    Package,
    PackageChange,
    Packages,
    locked_line,
    locked_packages,
    packages_of,
)
from lamina.diff.reference import Prefix, Reference, Word, find_manifest, parse_reference
from lamina.diff.runtime import SettingChange
from lamina.diff.side import Content, Side
from lamina.diff.transfer import Blobs, Transfer
from lamina.diff.turnover import Turnover

__all__ = [
    "Blobs",
    "Content",
    "ContentDiff",
    "File",
    "FileChange",
    "Files",
    "FolderChange",
    "Group",
    "ImageDiff",
    "Label",
    "Package",
    "PackageChange",
    "Packages",
    "Prefix",
    "Reference",
    "SettingChange",
    "Side",
    "Transfer",
    "Turnover",
    "Word",
    "by_folder",
    "compare",
    "final_files",
    "find_manifest",
    "groups_of",
    "locked_line",
    "locked_packages",
    "packages_of",
    "parse_reference",
]
