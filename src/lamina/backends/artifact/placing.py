"""Which members of an artifact go where: decided from values alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from lamina.backends.artifact.contents import Contents, follow
from lamina.model.artifact import WHOLE, Placement, Recipe
from lamina.model.spelling import did_you_mean
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.untar import RefusedError

_PROGRAM, _PLAIN = 0o755, 0o644
_SPECIAL = 0o7000  # set-user-id, set-group-id, sticky
_SHOWN = 5  # names of an archive that are told
_COMPARED = 1000  # names of an archive in which a misspelled one is looked for


class MisplacedError(Exception):
    """What is to be installed cannot be, with a remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An entry of the unit's tree, and the member of the archive that has its content."""

    entry: Entry
    member: str = ""  # empty for what has no content: directories and links


def place(contents: Contents, recipe: Recipe) -> tuple[Placed, ...]:
    """Return what the recipe makes of an archive: directories first, then all else by path.

    Times are the members' own, not after the recipe's date; a directory's is the newest of all.
    Raises `MisplacedError` for what is not in the archive, or would lie in two places.
    """
    files: dict[str, Placed] = {}
    folders: dict[str, Entry] = {}
    for line in recipe.install:
        for placed in _placed(line, contents):
            path = placed.entry.path
            if placed.entry.kind is EntryKind.DIRECTORY:
                _enter_folder(folders, placed.entry)
            elif path in files:
                raise MisplacedError(
                    f"two of its files go to /{path}",
                    "leave one out with 'without', or give it a line of its own",
                )
            else:
                files[path] = placed
    for path in files.keys() | set(folders):
        for above in _above(path):
            folders.setdefault(above, _folder(above))
            if above in files:
                raise MisplacedError(
                    f"/{above} is a file of it, and /{path} lies below", "give one another place"
                )
    if both := files.keys() & folders.keys():
        raise MisplacedError(f"/{min(both)} is a file and a folder", "give one another place")
    return _timed(folders, files, recipe)


def epoch_of(placed: Iterable[Placed]) -> int:
    """Return the newest time among the entries, in seconds since 1970."""
    return max((each.entry.mtime for each in placed), default=0)


def _timed(
    folders: Mapping[str, Entry], files: Mapping[str, Placed], recipe: Recipe
) -> tuple[Placed, ...]:
    newest = max((placed.entry.mtime for placed in files.values()), default=0)
    limit = newest if recipe.date is None else recipe.date
    return (
        *(Placed(entry=replace(folders[path], mtime=limit)) for path in sorted(folders)),
        *(
            replace(placed, entry=replace(placed.entry, mtime=min(placed.entry.mtime, limit)))
            for _, placed in sorted(files.items())
        ),
    )


def _placed(line: Placement, contents: Contents) -> Iterator[Placed]:
    """Yield what one line installs."""
    if line.source.endswith("/"):
        yield from _below(line, contents)
        return
    # Without a source, the file itself is meant, which is all that there is.
    found = [path for path in contents.members if not line.source or _matches(path, line.source)]
    if not found:
        raise _missing(line.source, contents)
    if line.to.endswith("/"):
        for path in found:
            folder, slash, name = path.rpartition("/")
            target = f"{folder}{slash}{contents.members[path].target}"
            if contents.members[path].kind is EntryKind.SYMLINK and target not in found:
                raise _lost_link(contents.members[path])
            yield _one(line, contents, path, f"{line.to}{name}".lstrip("/"))
    elif len(found) > 1:
        raise MisplacedError(
            f"'{line.source}' is {len(found)} files, and {line.to} can be one only",
            "end 'to' with a slash, to make it a folder for them",
        )
    elif contents.members[found[0]].kind is EntryKind.SYMLINK:
        raise _lost_link(contents.members[found[0]])
    else:
        yield _one(line, contents, found[0], line.to.lstrip("/"))


def _below(line: Placement, contents: Contents) -> Iterator[Placed]:
    """Yield a folder with all below it."""
    pattern = line.source.rstrip("/")
    roots = [path for path in contents.folders if _matches(path, pattern)]
    if line.source == WHOLE:
        roots = [""]
    if not roots:
        raise _missing(line.source, contents)
    if len(roots) > 1:
        raise MisplacedError(
            f"'{line.source}' is {len(roots)} folders", "say which of them is meant"
        )
    prefix, to = f"{roots[0]}/".lstrip("/"), line.to.strip("/")
    yield Placed(entry=_folder(to, line))
    for path in sorted(contents.folders):
        if path.startswith(prefix) and not _is_left_out(path.removeprefix(prefix), line.without):
            yield Placed(entry=_folder(f"{to}/{path.removeprefix(prefix)}", line))
    for path in contents.members:
        relative = path.removeprefix(prefix)
        if path.startswith(prefix) and not _is_left_out(relative, line.without):
            if contents.members[path].kind is EntryKind.SYMLINK:
                _check_link(path, contents, prefix)
            yield _one(line, contents, path, f"{to}/{relative}")


def _check_link(path: str, contents: Contents, prefix: str) -> None:
    """Refuse a link that leads out of the folder that is installed, were it on the way only."""
    try:
        follow(path, contents, floor=prefix.count("/"))
    except RefusedError:
        raise _lost_link(contents.members[path]) from None


def _lost_link(link: Entry) -> MisplacedError:
    return MisplacedError(
        f"'{link.path}' is a link to '{link.target}', which does not come along",
        "name the file that it leads to, or the folder that has both",
    )


def _one(line: Placement, contents: Contents, path: str, to: str) -> Placed:
    """Return a file or link of the archive as it is installed at `to`."""
    member = contents.members[path]
    if member.kind is EntryKind.SYMLINK:
        entry = Entry(path=to, kind=EntryKind.SYMLINK, target=member.target, mtime=member.mtime)
        return Placed(entry=replace(entry, uid=line.uid, gid=line.gid))
    # A hard link is another name of its file, whatever its own header says.
    source = contents.content_of(path)
    member = contents.members[source]
    if line.mode is None and member.mode & _SPECIAL:
        raise MisplacedError(
            f"'{path}' has the mode {member.mode:04o}, with which it runs as its owner",
            "leave it out with 'without', or give it a line of its own that states its 'mode'",
        )
    usual = _PROGRAM if member.mode & 0o111 else _PLAIN
    entry = Entry(
        path=to,
        kind=EntryKind.FILE,
        mode=usual if line.mode is None else line.mode,
        uid=line.uid,
        gid=line.gid,
        mtime=member.mtime,
        size=member.size,
    )
    return Placed(entry=entry, member=source)


def _folder(path: str, line: Placement | None = None) -> Entry:
    """Return a directory, which belongs to root unless a line says otherwise."""
    return Entry(
        path=path,
        kind=EntryKind.DIRECTORY,
        mode=_PROGRAM,
        uid=line.uid if line else 0,
        gid=line.gid if line else 0,
    )


def _enter_folder(folders: dict[str, Entry], entry: Entry) -> None:
    known = folders.setdefault(entry.path, entry)
    if known != entry:
        raise MisplacedError(
            f"two lines give the folder /{entry.path} to different owners",
            "give both the same 'owner' and 'group'",
        )


def _matches(path: str, pattern: str) -> bool:
    """Tell whether a glob fits a path, name by name: no sign stands for a slash."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(_fits, names, patterns))


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _is_left_out(path: str, globs: Iterable[str]) -> bool:
    """Tell whether a glob fits the path, or any folder that it lies in."""
    return any(_matches(part, glob.rstrip("/")) for part in (path, *_above(path)) for glob in globs)


def _missing(source: str, contents: Contents) -> MisplacedError:
    folder = source.endswith("/")
    known = contents.folders if folder else contents.members
    top = sorted({path.partition("/")[0] for path in contents.members})
    shown = ", ".join(top[:_SHOWN]) + (" and more" if len(top) > _SHOWN else "")
    names = sorted(f"{path}/" if folder else path for path in known)[:_COMPARED]
    otherwise = f"it has: {shown}" if top else "it is empty"
    what = "folder" if folder else "file"
    return MisplacedError(
        f"there is no {what} '{source}' in it", did_you_mean(source, names, otherwise=otherwise)
    )


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
