"""The entries of all families, and the changes that later folders make to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from pydantic import TypeAdapter

from lamina.catalog.changes import ChangeForm
from lamina.catalog.checked import checked
from lamina.catalog.document import Document
from lamina.catalog.folder import FAMILIES, Folder
from lamina.catalog.forms import ChangedForm, FamilyForm, ImageForm
from lamina.errors import Fault
from lamina.model.image import Kind
from lamina.model.spelling import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an entry, or a change of one, is written."""

    document: Document
    path: tuple[str, ...]

    def place(self, *below: str) -> str:
        """Return the place of what stands `below` the origin."""
        return self.document.place(*self.path, *below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one folder changes in an image of a folder before it."""

    form: ChangeForm
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An image as it is written, with the changes to it in the order of their folders."""

    name: str
    kind: Kind  # the folder's
    family: str
    form: ImageForm
    origin: Origin
    changes: tuple[Change, ...] = ()

    def place(self, key: str = "", text: str = "") -> str:
        """Return the place of the entry, of its `key`, or of `text` in that.

        What a change has written is found there.
        """
        if not key:
            return self.origin.place()
        origins = (*(change.origin for change in reversed(self.changes)), self.origin)
        having = [origin for origin in origins if origin.document.has(*origin.path, key)]
        for origin in having:
            found = origin.document.place_of(text, *origin.path, key) if text else ""
            if found:
                return found
        return (having or [self.origin])[0].place(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """All entries by name, and what is wrong with them."""

    by_name: Mapping[str, Entry]
    broken: frozenset[str]  # names of entries that are left out for their faults
    complete: bool  # false when a fault may have hidden any entry
    faults: tuple[Fault, ...]

    def may_exist(self, name: str) -> bool:
        """Tell whether an image `name` is there, or only left out because of another fault."""
        return name in self.by_name or name in self.broken or not self.complete


def read_entries(folders: Sequence[Folder]) -> Entries:
    """Return the entries of all `folders`, each with its changes."""
    pile = _Pile()
    for folder in folders:
        for kind in FAMILIES:
            for document, found in folder.documents(kind):
                pile.faults.extend(found)
                # A key that stands twice, for instance, may have had any entry below it.
                pile.complete = pile.complete and document is not None and not found
                if document:
                    pile.add(document, kind)
    pile.faults.extend(pile.unplaced())
    return Entries(
        by_name=pile.entries,
        broken=frozenset(pile.broken),
        complete=pile.complete,
        faults=tuple(pile.faults),
    )


@cache
def _adapter() -> TypeAdapter[FamilyForm]:
    return TypeAdapter(FamilyForm)


@dataclass(slots=True, kw_only=True)
class _Pile:
    """Entries as they are piled up, file by file."""

    entries: dict[str, Entry] = field(default_factory=dict)
    changes: list[tuple[str, Change]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    complete: bool = True
    faults: list[Fault] = field(default_factory=list)

    def add(self, document: Document, kind: Kind) -> None:
        result = checked(_adapter(), document)
        self.faults.extend(result.faults)
        self.broken |= result.broken
        if result.form is None:
            self.complete = False
            return
        family = document.name.rpartition("/")[2].removesuffix(".yaml")
        for name, form in result.form.images.items():
            path = ("images", name)
            if isinstance(form, ChangedForm):
                origin = Origin(document=document, path=(*path, "change"))
                self.changes.append((name, Change(form=form.change, origin=origin)))
            else:
                origin = Origin(document=document, path=path)
                self._enter(Entry(name=name, kind=kind, family=family, form=form, origin=origin))

    def unplaced(self) -> Iterator[Fault]:
        """Give every change to its entry; yield those that have none."""
        for name, change in self.changes:
            entry = self.entries.get(name)
            if entry:
                self.entries[name] = replace(entry, changes=(*entry.changes, change))
            elif name not in self.broken and self.complete:
                message = f"a change of the image '{name}', which there is not"
                otherwise = "write a whole image, without 'change'"
                remedy = did_you_mean(name, self.entries, otherwise=otherwise)
                yield Fault(change.origin.document.place("images", name), message, remedy)

    def _enter(self, entry: Entry) -> None:
        other = self.entries.setdefault(entry.name, entry)
        if other is not entry:
            self.faults.append(
                Fault(
                    entry.place(),
                    f"the image '{entry.name}' is defined twice",
                    f"it stands at {other.place()}; a folder laid over it says 'change'",
                )
            )
