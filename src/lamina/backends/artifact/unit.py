"""Making a unit of an artifact's file: its tree and its facts."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lamina.backends.artifact.archive import Members, limits_of, opened
from lamina.backends.artifact.contents import Contents, read_contents
from lamina.backends.artifact.placing import MisplacedError, Placed, epoch_of, place
from lamina.engine.unit import TREE, Directory, UnitFacts
from lamina.errors import BuildError, Fault
from lamina.model.artifact import Packing, Recipe, packing_of
from lamina.model.lock import UnitKind, UnitRef
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.extract import write_entries
from lamina.oci.untar import Limits, RefusedError

_CHUNK = 1 << 20
# How a page begins that a server shows in place of a file.
_PAGES = (b"<!doctype html", b"<html")

_Content = Iterable[bytes]


def make_artifact(file: Path, folder: Path, ref: UnitRef) -> UnitFacts:
    """Make the unit of an artifact in the new, empty `folder`, and return its facts.

    The facts are not written. Raises `BuildError` for an archive that is damaged, would write
    outside its tree, or does not have what the recipe takes.
    """
    recipe = ref.recipe or Recipe(install=())
    packing = packing_of(ref.path)
    with faults_of(ref.spoken):
        contents = look(file, packing, time=recipe.date or 0)
        placed = place(contents, recipe)
        limits = limits_of(file)
        _check_growth(placed, limits)
        newest = epoch_of(placed)
        tree = folder / TREE
        tree.mkdir()
        os.chown(tree, 0, 0)
        tree.chmod(0o755)
        with _members(file, packing, limits, newest) as members:
            write_entries(_installed(members, placed, tree), tree)
        os.utime(tree, (newest, newest))
    return _facts(ref, placed, newest)


def look(file: Path, packing: Packing, *, time: int = 0) -> Contents:
    """Return what an artifact's file holds, all of it read; raise `RefusedError` for harm.

    `time` is that of a plain file, which does not tell its own.
    """
    if packing is Packing.PLAIN:
        with file.open("rb") as content:
            if content.read(64).lstrip().lower().startswith(_PAGES):
                raise RefusedError("it is a web page")
    with _members(file, packing, limits_of(file), time) as members:
        return read_contents(members)


@contextmanager
def faults_of(place: str) -> Iterator[None]:
    """Turn what a hostile or misread artifact raises into a `BuildError` that names `place`."""
    try:
        yield
    except RefusedError as error:
        raise BuildError(_refusal(place, error)) from error
    except MisplacedError as error:
        raise BuildError(Fault(place, error.message, error.remedy)) from error


def refusal_text(error: RefusedError) -> str:
    """Return in words why an artifact is refused, hostile names made visible."""
    if not error.path:
        return error.why
    # A name as it may stand in a line: with no control characters, and in UTF-8.
    shown = error.path if error.path.isprintable() else ascii(error.path)[1:-1]
    return f"'{shown}': {error.why}"


def _refusal(place: str, error: RefusedError) -> Fault:
    return Fault(
        place,
        f"it is refused: {refusal_text(error)}",
        "it is damaged or made to do harm: compare its sha256 with what its publisher tells",
    )


@contextmanager
def _members(file: Path, packing: Packing, limits: Limits, time: int) -> Iterator[Members]:
    """Give the members of an artifact's file; of a plain one the file itself, without a name."""
    if packing is Packing.PLAIN:
        size = file.stat().st_size
        entry = Entry(path=".", kind=EntryKind.FILE, mode=0o755, mtime=time, size=size)
        yield iter([(entry, _chunks(file))])
        return
    with opened(file, packing, limits) as members:
        yield members


def _check_growth(placed: Iterable[Placed], limits: Limits) -> None:
    """Refuse what grows as it is installed: many links to one large file."""
    if sum(each.entry.size for each in placed) > limits.size:
        raise RefusedError(f"what is installed of it is larger than {limits.size} bytes")


def _installed(
    members: Members, placed: Sequence[Placed], tree: Path
) -> Iterator[tuple[Entry, _Content]]:
    """Yield the entries of the tree, each with its content, files in the archive's order."""
    wanted: defaultdict[str, list[Entry]] = defaultdict(list)
    for each in placed:
        if each.member:
            wanted[each.member].append(each.entry)
        else:
            yield each.entry, ()
    for member, content in members:
        for number, entry in enumerate(wanted.get(member.path, ())):
            # A second one is a copy of the first, which is written by then.
            yield entry, _chunks(tree / wanted[member.path][0].path) if number else content


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            yield chunk


def _facts(ref: UnitRef, placed: Sequence[Placed], epoch: int) -> UnitFacts:
    entries = [each.entry for each in placed]
    folders = [entry for entry in entries if entry.kind is EntryKind.DIRECTORY]
    return UnitFacts(
        digest=ref.identity,
        name=ref.name,
        instance=ref.name,
        version=ref.version,
        architecture=ref.architecture,
        epoch=epoch,
        size=sum(entry.size for entry in entries),
        conffiles=(),
        files=tuple(sorted({entry.path for entry in entries} - {entry.path for entry in folders})),
        directories=tuple(
            sorted(Directory(entry.path, entry.mode, entry.uid, entry.gid) for entry in folders)
        ),
        links=tuple(sorted(each.path for each in entries if each.kind is EntryKind.SYMLINK)),
        kind=UnitKind.ARTIFACT,
    )
