"""Artifacts: release archives and programs that come from their publisher, not a distribution."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lamina.model.digest import Digest

ANY_ARCHITECTURE = "all"
WHOLE = "./"
"""What a placement takes that takes all of an archive."""


class Packing(StrEnum):
    """What the file of an artifact is; told by how its path ends."""

    TAR = "tar"
    TAR_GZIP = "tar.gz"
    TAR_XZ = "tar.xz"
    TAR_BZIP2 = "tar.bz2"
    ZIP = "zip"
    PLAIN = "plain"  # no archive: the file itself


_ENDINGS = {
    ".tar": Packing.TAR,
    ".tar.gz": Packing.TAR_GZIP,
    ".tgz": Packing.TAR_GZIP,
    ".tar.xz": Packing.TAR_XZ,
    ".txz": Packing.TAR_XZ,
    ".tar.bz2": Packing.TAR_BZIP2,
    ".tbz2": Packing.TAR_BZIP2,
    ".zip": Packing.ZIP,
}
# What would be installed as one useless file.
_NOT_READ = (
    *(".7z", ".apk", ".bz2", ".cab", ".cpio", ".deb", ".dmg", ".exe", ".gz", ".iso", ".lz4"),
    *(".lzma", ".msi", ".pkg", ".rar", ".rpm", ".snap", ".tbz", ".tlz", ".tzst", ".xz", ".zst"),
)


def packing_of(path: str) -> Packing:
    """Return what the file at `path` is; raise `ValueError` for archives that are not read."""
    name = path.rpartition("/")[2].lower()
    for ending, packing in _ENDINGS.items():
        if name.endswith(ending):
            return packing
    for ending in _NOT_READ:
        if name.endswith(ending):
            raise ValueError(f"files that end with '{ending}' are not read")
    return Packing.PLAIN


READ_ENDINGS = tuple(_ENDINGS)
"""How the paths of archives end that are read."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Placement:
    """What of an artifact goes where."""

    source: str  # a path or a glob in the archive, of a folder with a slash behind; or empty
    to: str  # absolute: the file's path, or with a slash behind the folder that it goes to
    mode: int | None  # of files; `None`: 0755 for what the archive has as a program, else 0644
    uid: int
    gid: int
    without: tuple[str, ...] = ()  # globs relative to the folder


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Recipe:
    """How the file of an artifact becomes a unit."""

    install: tuple[Placement, ...]
    date: int | None = None  # seconds since 1970: nothing in the unit is newer


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What the catalogue says of an artifact, for one architecture."""

    name: str
    version: str
    architecture: str  # `all` where every architecture has the same file
    source: str  # the name of the place that has it
    path: str  # below that place's address
    digest: Digest | None  # `None`: pinned by the lock on first sight
    size: int | None  # bytes; `None`: not known
    recipe: Recipe

    def __str__(self) -> str:
        """Print name and version."""
        return f"{self.name} {self.version}"
