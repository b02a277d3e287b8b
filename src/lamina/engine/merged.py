"""/usr as Debian has it since release 12: /bin, /sbin and /lib are links to what lies in it.

Packages may still name their files by the old paths. A tree holds them where the links lead,
because a directory of its own would hide the link. dpkg's database keeps the names as they are.

Source: the specification of Debian's technical committee (bugs.debian.org/978636), and
file-hierarchy(7).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

LINKS = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")


def merged(path: str) -> str:
    """Return where a path lies, relative to the root as `path` is."""
    return f"usr/{path}" if "/" in path and link_above(path) else path


def link_above(path: str) -> str:
    """Return the link into /usr that `path` is or leads through; empty if there is none."""
    first = path.partition("/")[0]
    return first if first in LINKS else ""


def make_links(upper: Path, lowers: Iterable[Path]) -> None:
    """Make in `upper` the links that packages rely on but none of them brings.

    In Debian 12 the links are no package's: whoever makes a root makes them. What lies in /usr
    tells which ones there must be.
    """
    folders = tuple(lowers)
    for name in LINKS:
        brought = any((folder / name).is_symlink() for folder in folders)
        if not brought and any((folder / "usr" / name).is_dir() for folder in folders):
            (upper / name).symlink_to(f"usr/{name}")
