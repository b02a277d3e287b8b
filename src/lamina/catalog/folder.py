"""Catalogue folders: where their files lie, and how places in them are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path

from lamina.catalog.document import Document, read_document
from lamina.errors import CatalogError, Fault
from lamina.model.image import Kind
from lamina.model.spelling import did_you_mean

FAMILIES = tuple(Kind)  # the folders of families are called as the kinds
DISTROS = "distros"
ACCOUNTS = "users.yaml"
SOURCES = "sources.yaml"
RULES = "rules.yaml"
CADENCES = "cadences.yaml"
FILES = "files"
_CONTENT = (*FAMILIES, DISTROS, ACCOUNTS, SOURCES, RULES, CADENCES, FILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One catalogue folder."""

    path: Path
    prefix: str = ""  # of its places: empty for the default, `NAME/` for those laid over it

    def documents(self, section: str) -> Iterator[tuple[Document | None, tuple[Fault, ...]]]:
        """Yield the documents of `section` by name, each with its faults.

        A section is one of the folder's folders, whose files must all be YAML, or one file.
        """
        whole = self.path / section
        if not whole.is_dir():
            if whole.exists():
                yield self._document(whole)
            return
        try:
            paths = sorted(whole.iterdir())
        except OSError as error:
            yield None, (_unreadable(f"{self.prefix}{section}", error),)
            return
        for path in paths:
            # A hidden file is an editor's.
            if not path.name.startswith("."):
                yield self._document(path)

    def _document(self, path: Path) -> tuple[Document | None, tuple[Fault, ...]]:
        name = f"{self.prefix}{path.relative_to(self.path)}"
        if path.suffix != ".yaml" or not path.is_file():
            fault = Fault(name, "not a catalogue file", "name it '*.yaml', or move it elsewhere")
            return None, (fault,)
        try:
            content = path.read_bytes()
        except OSError as error:
            return None, (_unreadable(name, error),)
        return read_document(content, name)


def make_folders(paths: Sequence[Path]) -> tuple[Folder, ...]:
    """Return the folders at `paths`: the first is the default, later ones are laid over it.

    Raises `CatalogError` for each that is no catalogue.
    """
    faults = [fault for path in paths for fault in _faults_of(path)]
    CatalogError.raise_all(faults)
    default, *overlays = paths
    return (
        Folder(path=default),
        *(Folder(path=path, prefix=f"{path.resolve().name}/") for path in overlays),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of the catalogue that goes into images or roots."""

    path: Path
    content: bytes


def read_source(folders: Sequence[Folder], name: str, place: str) -> Source:
    """Return the file that is called `name`, from the last of `folders` that has it.

    Raises `CatalogError` with `place` where there is none, and for one that leaves its folder
    through a symbolic link.
    """
    try:
        for folder in reversed(folders):
            root = folder.path / FILES
            path = root / name
            # First of all: nothing is told of what lies outside, not even whether it is there.
            # Not by `Path.resolve`, which in some versions of Python fails on a loop of links.
            if not Path(realpath(path)).is_relative_to(realpath(root)):
                message = f"'{name}' leads out of the folder '{FILES}'"
                raise CatalogError.one(message, place=place, remedy="copy the file into it")
            if path.is_file():
                return Source(path=path, content=path.read_bytes())
    except OSError as error:
        message = f"'{name}' cannot be read: {error.strerror}"
        raise CatalogError.one(message, place=place, remedy="put a plain file there") from error
    remedy = did_you_mean(name, _sources(folders), otherwise=f"put it below '{FILES}/'")
    raise CatalogError.one(f"no file '{name}'", place=place, remedy=remedy)


def default_folder() -> Path:
    """Return the catalogue that comes with lamina: inside the package, or a checkout's own."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "default_catalog"
    return installed if installed.is_dir() else package.parent.parent / "catalog"


def _faults_of(path: Path) -> Iterator[Fault]:
    if not path.is_dir():
        yield Fault(str(path), "no such folder", "give the folder of a catalogue")
    elif not any((path / name).exists() for name in _CONTENT):
        known = ", ".join(f"'{name}'" for name in _CONTENT)
        yield Fault(str(path), "not a catalogue", f"a catalogue has some of {known}")


def _unreadable(name: str, error: OSError) -> Fault:
    return Fault(name, f"cannot be read: {error.strerror}", "make it readable")


def _sources(folders: Sequence[Folder]) -> Iterator[str]:
    for folder in folders:
        root = folder.path / FILES
        yield from (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
