"""What is to be written, decided from what config.json says and from what its sources are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kolla_contract.config import Config, ConfigFile, Needed, Owner, Permission
from kolla_contract.faults import ContractError, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """Who owns a file or a directory, and who may do what with it."""

    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A file or a directory of a source; `path` is relative, and empty for the source itself."""

    path: str
    directory: bool
    properties: Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One path that a source matches, and all that is there, parents first."""

    path: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A file, or a directory if it has no source, as it is to be; `place` is its entry's."""

    place: str
    path: str
    source: str | None
    properties: Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A directory, or an empty file, that must be there; `place` is its entry's."""

    place: str
    path: str
    directory: bool
    properties: Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All targets, parents first, what is made beside them, and directories with nothing else."""

    targets: tuple[Target, ...]
    exact: Mapping[str, frozenset[str]]  # directory -> the names in it
    made: tuple[Made, ...] = ()  # directories first; none that is a target


Ids = Mapping[Owner, tuple[int, int] | None]  # None: there is no such user or group


def owners(config: Config) -> frozenset[Owner]:
    """Return everybody who is to own something."""
    return frozenset(owner for _, owner in _owned(config))


def make_plan(config: Config, found: Mapping[str, tuple[Found, ...]], ids: Ids) -> Plan:
    """Return what is to be written; `found` by source, `ids` of all owners of the configuration.

    Raises `ContractError` with all faults: unknown owners, missing sources, targets in the way of
    each other.
    """
    faults = [*_unknown_owners(config, ids), *_missing(config, found)]
    targets: dict[str, Target] = {}
    exact: dict[str, str] = {}  # directory -> the place of its entry
    for entry in config.files:
        for match in found[entry.source]:
            root = _join(entry.dest, match.path.rpartition("/")[2]) if entry.into else entry.dest
            faults += _overlap(entry, match, root)
            for node in match.nodes:
                target = _target(entry, match, node, root, ids)
                faults += _twice(targets.get(target.path), target)
                targets[target.path] = target
                if node.directory and not entry.merge:
                    exact[target.path] = entry.place
    made = _made(config, ids)
    faults += [*_below_files(targets, made), *_lost(exact, found), *_two_kinds(targets, made)]
    ContractError.raise_all(faults)
    children: dict[str, set[str]] = {}
    for path in (*targets, *(one.path for one in made)):
        for folder, name in _ancestors(path):
            children.setdefault(folder, set()).add(name)
    return Plan(
        targets=tuple(targets.values()),
        exact={path: frozenset(children.get(path, ())) for path in sorted(exact)},
        # What is copied has the owner and the mode that it was copied with.
        made=tuple(one for one in made if one.path not in targets),
    )


def directory_mode(mode: int) -> int:
    """Return the mode of a directory: who may read it may enter it."""
    return mode | (mode & 0o444) >> 2


def _target(entry: ConfigFile, match: Found, node: Node, root: str, ids: Ids) -> Target:
    owner = ids[entry.owner] if entry.owner else None
    uid, gid = owner or (node.properties.uid, node.properties.gid)
    mode = node.properties.mode
    if entry.mode is not None:
        mode = directory_mode(entry.mode) if node.directory else entry.mode
    return Target(
        place=entry.place,
        path=_join(root, node.path),
        source=None if node.directory else _join(match.path, node.path),
        properties=Properties(uid=uid, gid=gid, mode=mode),
    )


def _made(config: Config, ids: Ids) -> list[Made]:
    """Return what is to be made of the entries whose owners there are."""
    made = []
    for entry in config.needed:
        owner = ids[entry.owner]
        if owner is None:
            continue
        mode = directory_mode(entry.mode) if entry.directory else entry.mode
        properties = Properties(uid=owner[0], gid=owner[1], mode=mode)
        made.append(
            Made(
                place=entry.place,
                path=entry.path,
                directory=entry.directory,
                properties=properties,
            )
        )
    return made


def _unknown_owners(config: Config, ids: Ids) -> Iterator[Fault]:
    for place, owner in _owned(config):
        if ids[owner] is None:
            yield Fault(f"{place}.owner", f"there is no '{owner}' in this image")


def _owned(config: Config) -> Iterator[tuple[str, Owner]]:
    """Yield the owners that entries name, each with the entry's place."""
    entries: tuple[ConfigFile | Needed | Permission, ...] = (
        *config.files,
        *config.needed,
        *config.permissions,
    )
    for entry in entries:
        if entry.owner:
            yield entry.place, entry.owner


def _missing(config: Config, found: Mapping[str, tuple[Found, ...]]) -> Iterator[Fault]:
    for entry in config.files:
        if not found[entry.source] and not entry.optional:
            yield Fault(f"{entry.place}.source", f"there is no '{entry.source}'")


def _overlap(entry: ConfigFile, match: Found, root: str) -> Iterator[Fault]:
    if _is_below(root, match.path):
        yield Fault(f"{entry.place}.dest", f"'{root}' lies in its source '{match.path}'")


def _lost(exact: Mapping[str, str], found: Mapping[str, tuple[Found, ...]]) -> Iterator[Fault]:
    """Yield a fault for each source that would be removed, as it lies in what is replaced."""
    sources = sorted({match.path for matches in found.values() for match in matches})
    for folder, place in exact.items():
        for source in sources:
            if _is_below(source, folder) and source != folder:
                message = f"'{folder}' cannot be replaced with the source '{source}' in it"
                yield Fault(f"{place}.dest", message)


def _twice(other: Target | None, target: Target) -> Iterator[Fault]:
    """Yield a fault unless both are directories, in which several sources may come together."""
    if other and not (other.source is None and target.source is None):
        message = f"'{target.path}' is written already, by {other.place} from '{other.source}'"
        yield Fault(f"{target.place}.dest", message)


def _below_files(targets: Mapping[str, Target], made: Sequence[Made]) -> Iterator[Fault]:
    files = {one.path: one.place for one in made if not one.directory}
    files |= {path: target.place for path, target in targets.items() if target.source is not None}
    places = [(f"{target.place}.dest", target.path) for target in targets.values()]
    places += [(f"{one.place}.path", one.path) for one in made]
    for place, path in places:
        for folder, _ in _ancestors(path):
            if folder in files:
                message = f"'{path}' lies below '{folder}', a file by {files[folder]}"
                yield Fault(place, message)


def _two_kinds(targets: Mapping[str, Target], made: Sequence[Made]) -> Iterator[Fault]:
    """Yield a fault for each path that is to be a directory by one entry, by another a file."""
    known = {path: (target.place, target.source is None) for path, target in targets.items()}
    for one in made:
        place, directory = known.setdefault(one.path, (one.place, one.directory))
        if directory != one.directory:
            kind = "a directory" if directory else "a file"
            yield Fault(f"{one.place}.path", f"'{one.path}' is {kind} by {place}")


def _ancestors(path: str) -> Iterator[tuple[str, str]]:
    """Yield each directory above `path`, with the name in it that leads on."""
    while path != "/":
        folder, _, name = path.rpartition("/")
        path = folder or "/"
        yield path, name


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if name else folder
