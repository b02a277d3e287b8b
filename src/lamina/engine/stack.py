"""Stacks: what an image stands on, and which of its units can be lower directories over that.

A tree can stand in for dpkg's own unpacking only where both would leave the same. Where packages
share a path, or one's directory is another's link, dpkg must unpack the package itself. Where two
give a directory different owners or modes, the first one unpacked counts for dpkg but the topmost
one for overlayfs and OCI, so the right one goes into the delta.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lamina.engine.merged import link_above, merged
from lamina.engine.unit import Directory, UnitFacts
from lamina.model.lock import UnitKind, spoken_name
from lamina.oci.entry import Entry, EntryKind

DIVERSIONS = "var/lib/dpkg/diversions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The finished file system of an image, as far as its children must know it."""

    lowers: tuple[Path, ...] = ()  # topmost first
    files: frozenset[str] = frozenset()  # of units; what is not a directory
    links: frozenset[str] = frozenset()  # symbolic links, of units and deltas
    directories: Mapping[str, Directory]
    packages: frozenset[str] = frozenset()  # by name
    artifacts: Mapping[str, str] = field(default_factory=dict)  # whose files are theirs, by path
    interests: frozenset[str] = frozenset()  # triggers that these wait for
    epoch: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Diversion:
    """A path that dpkg gives to one package by moving all others' aside (dpkg-divert(1))."""

    path: str  # relative
    package: str


EMPTY = Stack(directories={})


def over(
    stack: Stack, *, delta: Path, changes: Iterable[Entry], units: Sequence[UnitFacts],
    trees: Mapping[Path, UnitFacts],
) -> Stack:  # fmt: skip
    """Return the stack of an image: its delta over the trees of its units over `stack`.

    `units` are all that it installed, `trees` those that are lower directories, topmost first,
    and `changes` the delta's entries.
    """
    entries = tuple(changes)
    links = set(stack.links).union(*(unit.links for unit in units))
    for entry in entries:
        # A hard link comes after the file that it names, which may be a symbolic link.
        if entry.kind is EntryKind.SYMLINK or entry.target in links:
            links.add(entry.path)
        elif entry.kind is not EntryKind.OPAQUE:
            links.discard(entry.path)
    return Stack(
        lowers=(delta, *trees, *stack.lowers),
        files=stack.files.union(*(_files(unit) for unit in units)),
        links=frozenset(links),
        directories=_directories(stack, entries, trees.values()),
        packages=stack.packages.union(unit.name for unit in units),
        artifacts={**stack.artifacts, **_artifact_files(units)},
        interests=stack.interests.union(*(unit.interests for unit in units)),
        epoch=max([stack.epoch, *(unit.epoch for unit in units)]),
    )


def _directories(
    stack: Stack, changes: Sequence[Entry], trees: Iterable[UnitFacts]
) -> Mapping[str, Directory]:
    """Return the directories of an image as its delta leaves them, over trees over `stack`."""
    found = {**stack.directories, **_topmost(trees)}
    # What had something below that is there no more: files, links, whiteouts, emptied directories.
    covers = {entry.path for entry in changes if entry.kind is not EntryKind.DIRECTORY}
    gone = [path for path in found if not covers.isdisjoint((*ancestors(path), path))]
    for path in gone:
        del found[path]
    for entry in changes:
        if entry.kind is EntryKind.DIRECTORY:
            found[entry.path] = Directory(entry.path, entry.mode, entry.uid, entry.gid)
    return found


def _topmost(units: Iterable[UnitFacts]) -> Mapping[str, Directory]:
    """Return the directories of units, of several at a path the first."""
    found: dict[str, Directory] = {}
    for directory in (directory for unit in units for directory in unit.directories):
        found.setdefault(directory.path, directory)
    return found


def _files(unit: UnitFacts) -> frozenset[str]:
    """Return all that a unit brings but directories."""
    return frozenset((*unit.files, *(merged(path.lstrip("/")) for path in unit.conffiles)))


def _links_of(unit: UnitFacts) -> frozenset[str]:
    """Return the links into /usr by which a unit's package calls its paths."""
    return frozenset(link for path in unit.listed if (link := link_above(path)))


def unshareable(
    stack: Stack, units: Mapping[str, UnitFacts], diversions: Iterable[Diversion]
) -> Mapping[str, str]:
    """Return those of an image's units that dpkg must unpack itself, each with the reason.

    `diversions` are those in force when the units are unpacked. An image made from nothing gets the
    links into /usr first of all.
    """
    counts = Counter(path for unit in units.values() for path in _files(unit))
    shared = {path for path, count in counts.items() if count > 1}
    links = stack.links.union(*(unit.links for unit in units.values()))
    folders = {d.path for unit in units.values() for d in unit.directories}
    diverted = {merged(diversion.path): diversion.package for diversion in diversions}
    reasons = {}
    for key, unit in units.items():
        files = _files(unit)
        if unit.real:
            reasons[key] = unit.real
        elif both := files & shared:
            reasons[key] = f"{min(both)} is in another of the image's packages"
        elif both := files & stack.files:
            reasons[key] = f"{min(both)} is in a package of the image's parent"
        elif below := links.intersection(d.path for d in unit.directories):
            reasons[key] = f"{min(below)} is a link elsewhere"
        elif stack.lowers and (apart := _links_of(unit) - links):
            reasons[key] = f"{min(apart)} is no link into /usr here"
        elif over_folder := files & (folders | stack.directories.keys()):
            reasons[key] = f"{min(over_folder)} is a directory elsewhere"
        elif moved := {p for p in files & diverted.keys() if diverted[p] != unit.name}:
            reasons[key] = f"{min(moved)} is diverted by {diverted[min(moved)]}"
    return reasons


def intrusions(
    stack: Stack,
    units: Mapping[str, UnitFacts],
    unshared: Mapping[str, str],
    find: Callable[[str], Path | None],
) -> Mapping[str, str]:
    """Return what lies in the way between artifacts and all else in an image, by unit key.

    Artifacts are no package manager's, so nobody else would notice that one covers another's file,
    or is covered. `unshared` are the units that dpkg must unpack itself, with the reasons; `find`
    finds what the parent has at a path.
    """
    found = {}
    for key, unit in units.items():
        if unit.kind is UnitKind.ARTIFACT:
            there = (path for path in unit.files if find(path) is not None)
            folders = (d.path for d in unit.directories if not _may_be_folder(find(d.path)))
            if key in unshared:
                found[key] = unshared[key]
            elif path := min((*there, *folders), default=""):
                found[key] = f"{path} is in the image's parent"
        elif both := _files(unit) & stack.artifacts.keys():
            owner = spoken_name(stack.artifacts[min(both)])
            found[key] = f"{min(both)} is in the {owner} of the image's parent"
    return found


def _may_be_folder(place: Path | None) -> bool:
    return place is None or (place.is_dir() and not place.is_symlink())


def _artifact_files(units: Iterable[UnitFacts]) -> Mapping[str, str]:
    """Return the names of artifacts by the paths of their files."""
    artifacts = (unit for unit in units if unit.kind is UnitKind.ARTIFACT)
    return {path: unit.name for unit in artifacts for path in unit.files}


def corrections(
    stack: Stack, units: Sequence[UnitFacts], trees: Sequence[UnitFacts]
) -> tuple[Directory, ...]:
    """Return the directories that must be made anew above trees, and those over them, in order.

    `units` are all that the image installs, in the order of unpacking, and `trees` those of them
    that are lower directories, topmost first.
    """
    right = {**_topmost(units), **stack.directories}
    wrong = {path for path, shown in _topmost(trees).items() if right[path] != shown}
    above = {path for each in wrong for path in ancestors(each)}
    return tuple(right[path] for path in sorted(wrong | above) if path in right)


def ancestors(path: str) -> tuple[str, ...]:
    """Return the directories above `path`, outermost first."""
    parts = path.split("/")[:-1]
    return tuple("/".join(parts[: n + 1]) for n in range(len(parts)))


def read_diversions(text: str) -> tuple[Diversion, ...]:
    """Return what dpkg's file of diversions says: three lines for each."""
    lines = text.split("\n")
    return tuple(
        Diversion(path.lstrip("/"), package)
        for path, _target, package in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
    )
