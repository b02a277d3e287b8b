"""What is known of a unit in the store, whichever form of package it came from.

A unit's folder holds `tree/` (the package's files, its configuration files taken out), `husk.deb`
(the same package without the bulk of its files) and `unit.json` (`UnitFacts`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TREE = "tree"
HUSK = "husk.deb"
FACTS = "unit.json"


@dataclass(frozen=True, slots=True, order=True)
class Directory:
    """A directory of a tree and what dpkg would give it."""

    path: str  # relative to the root
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """What must be known of a unit to install and to layer it."""

    name: str
    version: str
    architecture: str
    epoch: int  # seconds since 1970: the newest time in the package
    size: int  # bytes of the tree's files
    conffiles: tuple[str, ...]  # absolute
    files: tuple[str, ...]  # what the tree holds, directories aside; relative, sorted
    directories: tuple[Directory, ...]  # sorted by path
    links: tuple[str, ...]  # those of `files` that are symbolic links
    # Why dpkg must unpack the package itself in every image; empty when the tree can serve.
    real: str = ""

    def to_json(self) -> str:
        """Return the facts as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> UnitFacts:
        """Read what `to_json` wrote; `ValueError`, `KeyError` or `TypeError` for damage."""
        raw: dict[str, Any] = json.loads(text)
        for name in ("conffiles", "files", "links"):
            raw[name] = tuple(raw[name])
        raw["directories"] = tuple(Directory(**directory) for directory in raw["directories"])
        return cls(**raw)


def read_facts(folder: Path) -> UnitFacts:
    """Return the facts of the unit in `folder`; errors as of `from_json`, or `OSError`."""
    return UnitFacts.from_json((folder / FACTS).read_text())
