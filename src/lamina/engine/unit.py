"""What is known of a unit in the store, whichever form of package it came from.

A unit's folder holds `tree/` (the package's files, its configuration files taken out, and what the
package manager's database keeps of it), `husk.deb` (the same package without the bulk of its
files), `record` (what the database says of it once it is unpacked) and `unit.json` (`UnitFacts`).
An artifact, of which no package manager knows, has its tree and its facts only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lamina.model.digest import Digest, canonical_json
from lamina.model.lock import UnitKind, UnitRef

TREE = "tree"
HUSK = "husk.deb"
RECORD = "record"
FACTS = "unit.json"

_FORMAT = 3  # of the facts and of what a unit holds; raised when either changes

_TUPLES = (
    "conffiles",
    "files",
    "links",
    "listed",
    "interests",
    "activates",
    "notifies",
    "compiles",
    "compiled",
    "derived",
    "left",
)


@dataclass(frozen=True, slots=True, order=True)
class Directory:
    """A directory of a tree and what dpkg would give it."""

    path: str  # relative to the root
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryCall:
    """A call in a script that compiles another package's modules: a part of Python's library."""

    argv: tuple[str, ...]  # the modules follow
    owner: str  # of the modules, as the package manager's database names it
    folder: str  # absolute; those below it are compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """What compiles Python modules, and the units that it runs from."""

    identity: Digest  # of the packages that decide what it compiles to
    # In the order in which they are unpacked; all that follows from which ones is the identity.
    units: tuple[UnitRef, ...] = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacking:
    """A package or artifact, and what compiles the Python modules in it, if anything does."""

    ref: UnitRef
    interpreter: Interpreter | None = None

    @property
    def compiled(self) -> Digest:
        """The digest of the unit that is compiled; without interpreter it is the plain one's."""
        if self.interpreter is None:
            return self.ref.identity
        parts = [str(self.ref.digest), str(self.interpreter.identity)]
        return Digest.of(canonical_json(parts))

    @property
    def digests(self) -> tuple[Digest, ...]:
        """The digests of the units that may be what is wanted, the likeliest first."""
        return tuple(dict.fromkeys((self.compiled, self.ref.identity)))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """What must be known of a unit to install and to layer it."""

    digest: Digest  # of the package or artifact, and of what compiled its Python modules
    name: str
    instance: str  # as the package manager's database names it: `libc6:amd64`
    version: str
    architecture: str
    epoch: int  # seconds since 1970: the newest time in the package
    size: int  # bytes of the tree's files
    conffiles: tuple[str, ...]  # absolute
    files: tuple[str, ...]  # what the tree holds, directories aside; relative, sorted
    directories: tuple[Directory, ...]  # sorted by path
    links: tuple[str, ...]  # those of `files` that are symbolic links
    # All paths as dpkg lists them, relative, if any of them leads through a link into /usr.
    listed: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()  # triggers that the package waits for
    activates: tuple[str, ...] = ()  # triggers that its unpacking activates, and that it awaits
    notifies: tuple[str, ...] = ()  # triggers that it activates and does not await
    compiles: tuple[str, ...] = ()  # arguments of its calls of py3compile(1), if all are foreseen
    compiled: tuple[str, ...] = ()  # the same, once what they make is in the tree
    library: LibraryCall | None = None  # what its postinst compiles of Python's library
    left: tuple[str, ...] = ()  # the modules of that which every image compiles itself; absolute
    derived: tuple[str, ...] = ()  # files and directories of the tree that are not the package's
    # Why dpkg must unpack the package itself in every image; empty when the tree can serve.
    real: str = ""
    # Why dpkg must unpack the husk in every image; empty when its record can be written down.
    husk: str = ""
    asks: bool = False  # it has questions for debconf
    kind: UnitKind = UnitKind.PACKAGE

    @property
    def compilable(self) -> bool:
        """Whether there are foreseen modules, so that an interpreter makes another unit of it."""
        return bool(self.compiles or self.library)

    def to_json(self) -> str:
        """Return the facts as JSON."""
        raw = {**asdict(self), "digest": str(self.digest), "format": _FORMAT}
        return json.dumps(raw, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> UnitFacts | None:
        """Read what `to_json` wrote; None if another version of lamina did.

        Raises `ValueError`, `KeyError` or `TypeError` for damage.
        """
        raw: dict[str, Any] = json.loads(text)
        if isinstance(raw, dict) and raw.pop("format", None) != _FORMAT:
            return None
        if missing := [field.name for field in fields(cls) if field.name not in raw]:
            raise KeyError(*missing)
        for name in _TUPLES:
            raw[name] = tuple(raw[name])
        raw["digest"] = Digest.parse(raw["digest"])
        raw["kind"] = UnitKind(raw["kind"])
        raw["directories"] = tuple(Directory(**directory) for directory in raw["directories"])
        if library := raw["library"]:
            raw["library"] = LibraryCall(**{**library, "argv": tuple(library["argv"])})
        return cls(**raw)


def read_facts(folder: Path) -> UnitFacts | None:
    """Return the facts of the unit in `folder`; None and errors as of `from_json`, or `OSError`."""
    return UnitFacts.from_json((folder / FACTS).read_text())
