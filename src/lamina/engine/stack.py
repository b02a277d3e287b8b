"""Stacks: what an image stands on, and which of its units can be lower directories over that.

A tree can stand in for dpkg's own unpacking only where both would leave the same. Where packages
share a path, or one's directory is another's link, dpkg must unpack the package itself. Where two
give a directory different owners or modes, the first one unpacked counts for dpkg but the topmost
one for overlayfs and OCI, so the right one goes into the delta.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.engine.unit import Directory, UnitFacts
from lamina.oci.entry import Entry, EntryKind

DIVERSIONS = "var/lib/dpkg/diversions"
_HIDING = frozenset({EntryKind.WHITEOUT, EntryKind.OPAQUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The finished file system of an image, as far as its children must know it."""

    lowers: tuple[Path, ...] = ()  # topmost first
    files: frozenset[str] = frozenset()  # of units; what is not a directory
    links: frozenset[str] = frozenset()  # symbolic links, of units and deltas
    hidden: frozenset[str] = frozenset()  # where a delta hides what lies deeper, and all below
    directories: Mapping[str, Directory]
    epoch: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Diversion:
    """A path that dpkg gives to one package by moving all others' aside (dpkg-divert(1))."""

    path: str  # relative
    package: str


EMPTY = Stack(directories={})


def over(
    stack: Stack, *, delta: Path, changes: Iterable[Entry], units: Sequence[UnitFacts],
    trees: Sequence[Path],
) -> Stack:  # fmt: skip
    """Return the stack of an image: its delta over the trees of its units over `stack`.

    `units` are all that it installed, in the order of unpacking, `trees` those that are lower
    directories, topmost first, and `changes` the delta's entries.
    """
    directories = dict(stack.directories)
    for unit in units:
        for directory in unit.directories:
            directories.setdefault(directory.path, directory)
    links = set(stack.links).union(*(unit.links for unit in units))
    hidden = set(stack.hidden)
    for entry in changes:
        if entry.kind in _HIDING:
            hidden.add(entry.path)
        if entry.kind is EntryKind.DIRECTORY:
            directories[entry.path] = Directory(entry.path, entry.mode, entry.uid, entry.gid)
        else:
            directories.pop(entry.path, None)
        if entry.kind is EntryKind.SYMLINK:
            links.add(entry.path)
        elif entry.kind is not EntryKind.OPAQUE:
            links.discard(entry.path)
    return Stack(
        lowers=(delta, *trees, *stack.lowers),
        files=stack.files.union(*(unit.files for unit in units)),
        links=frozenset(links),
        hidden=frozenset(hidden),
        directories=directories,
        epoch=max([stack.epoch, *(unit.epoch for unit in units)]),
    )


def unshareable(
    stack: Stack, units: Mapping[str, UnitFacts], diversions: Iterable[Diversion]
) -> Mapping[str, str]:
    """Return those of an image's units that dpkg must unpack itself, each with the reason.

    `diversions` are those in force when the units are unpacked.
    """
    counts = Counter(path for unit in units.values() for path in unit.files)
    shared = {path for path, count in counts.items() if count > 1}
    links = stack.links.union(*(unit.links for unit in units.values()))
    folders = {d.path for unit in units.values() for d in unit.directories}
    diverted = {diversion.path: diversion.package for diversion in diversions}
    reasons = {}
    for key, unit in units.items():
        files = frozenset(unit.files)
        if unit.real:
            reasons[key] = unit.real
        elif both := files & shared:
            reasons[key] = f"{min(both)} is in another of the image's packages"
        elif both := files & stack.files:
            reasons[key] = f"{min(both)} is in a package of the image's parent"
        elif below := links.intersection(d.path for d in unit.directories):
            reasons[key] = f"{min(below)} is a link elsewhere"
        elif over_folder := files & (folders | stack.directories.keys()):
            reasons[key] = f"{min(over_folder)} is a directory elsewhere"
        elif moved := {p for p in files & diverted.keys() if diverted[p] != unit.name}:
            reasons[key] = f"{min(moved)} is diverted by {diverted[min(moved)]}"
    return reasons


def corrections(stack: Stack, units: Sequence[UnitFacts]) -> tuple[Directory, ...]:
    """Return the directories that must be made anew above the trees of `units`, parents first.

    `units` are those whose trees are lower directories, topmost and first unpacked first.
    """
    found: dict[str, Directory] = {}
    for unit in units:
        for directory in unit.directories:
            below = stack.directories.get(directory.path)
            if below is not None and below != directory:
                found[directory.path] = below
    return tuple(found[path] for path in sorted(found))


def ancestors(path: str) -> tuple[str, ...]:
    """Return the directories above `path`, outermost first."""
    parts = path.split("/")[:-1]
    return tuple("/".join(parts[: n + 1]) for n in range(len(parts)))


def read_diversions(text: str) -> tuple[Diversion, ...]:
    """Return what dpkg's file of diversions says: three lines for each."""
    lines = text.splitlines()
    return tuple(
        Diversion(path.lstrip("/"), package)
        for path, _target, package in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
    )
