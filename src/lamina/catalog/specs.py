"""What the entries say for one distribution, all changes applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from lamina.catalog.accounts import Accounts
from lamina.catalog.artifact_parts import ArtifactForm, lacking
from lamina.catalog.changes import ChangeForm, ListChange, MapChange, ValueChange, called
from lamina.catalog.distros import Addressee, pick
from lamina.catalog.entries import Change, Entries, Entry
from lamina.catalog.forms import ImageForm
from lamina.errors import Fault
from lamina.model.image import Kind
from lamina.model.spelling import did_you_mean

_CHANGEABLE = tuple(field.name for field in fields(ChangeForm))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One entry for one distribution; relations to other entries are not followed yet."""

    entry: Entry
    form: ImageForm  # with all changes
    kind: Kind
    packages: tuple[str, ...]
    repositories: tuple[str, ...]
    artifacts: tuple[ArtifactForm, ...]
    unbuildable: str  # why the distribution cannot have it, by its own entry

    @property
    def name(self) -> str:
        """The name of the image."""
        return self.entry.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Specs:
    """All specs by name."""

    by_name: Mapping[str, Spec]
    entries: Entries

    def lineage(self, name: str) -> tuple[Spec, ...]:
        """Return the spec `name` and its ancestors, nearest first, as far as there are any.

        A cycle is gone round once.
        """
        lineage: dict[str, Spec] = {}
        spec = self.by_name.get(name)
        while spec and spec.name not in lineage:
            lineage[spec.name] = spec
            spec = self.by_name.get(spec.form.parent or "")
        return tuple(lineage.values())

    def obstacle(self, name: str) -> str:
        """Return why there cannot be an image: by its own entry, or by that of an ancestor."""
        for distance, spec in enumerate(self.lineage(name)):
            if spec.unbuildable and distance == 0:
                return spec.unbuildable
            if spec.unbuildable:
                who = "parent" if distance == 1 else "ancestor"
                return f"its {who} '{spec.name}' cannot be built: {spec.unbuildable}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who may own something in an image: by name, root included."""

    users: frozenset[str]
    groups: frozenset[str]


def owners_of(lineage: tuple[Spec, ...], accounts: Accounts) -> Owners | None:
    """Return the accounts that an image has from itself and its ancestors.

    None where something that could not be read may define more.
    """
    if not accounts.complete or lineage[-1].form.parent is not None:
        return None
    names = [name for each in lineage for name in each.form.users]
    made = [accounts.users[name] for name in names if name in accounts.users]
    groups = {name for user in made for name in (user.group, *user.groups)}
    groups |= {name for each in lineage for name in each.form.groups}
    return Owners(
        users=frozenset(("root", *(user.name for user in made))),
        groups=frozenset(("root", *groups)),
    )


def make_specs(
    entries: Entries, distro: Addressee, architecture: str = ""
) -> tuple[Specs, tuple[Fault, ...]]:
    """Return what `entries` say for `distro`, and the faults of their changes.

    Without an `architecture` it is not asked what artifacts there are for it.
    """
    by_name: dict[str, Spec] = {}
    faults: list[Fault] = []
    for name, entry in sorted(entries.by_name.items()):
        by_name[name] = _spec(entry, distro, architecture)
        faults.extend(_removals(entry, distro))
    return Specs(by_name=by_name, entries=entries), tuple(faults)


def _spec(entry: Entry, distro: Addressee, architecture: str) -> Spec:
    values = _values(entry.form, distro)
    for change in entry.changes:
        values |= _changed(values, change, distro)
    form = replace(entry.form, **values)
    packages: tuple[str, ...] | None = values["packages"]
    artifacts: tuple[ArtifactForm, ...] | None = values["artifacts"]
    return Spec(
        entry=entry,
        form=form,
        kind=form.kind or entry.kind,
        packages=packages or (),
        repositories=values["repositories"] or (),
        artifacts=artifacts or (),
        unbuildable=pick(form.distros, distro)
        or _unpackaged(entry, values, distro)
        or lacking(artifacts or (), architecture),
    )


def _values(form: ImageForm, distro: Addressee) -> dict[str, Any]:
    """Return the fields that a change may meet: for one distribution, short forms written out."""
    values = {name: getattr(form, name) for name in _CHANGEABLE}
    for name in ("packages", "repositories", "artifacts"):
        if isinstance(values[name], dict):
            values[name] = pick(values[name], distro)
    if form.user and form.user not in form.users:
        values["users"] = (form.user, *form.users)
    return values


def _changes(change: Change, distro: Addressee) -> Iterator[tuple[str, Any]]:
    """Yield the changes of fields that are meant for `distro`."""
    for name in _CHANGEABLE:
        wanted = getattr(change.form, name)
        if isinstance(wanted, dict):
            wanted = pick(wanted, distro)
        if wanted is not None:
            yield name, wanted


def _changed(values: Mapping[str, Any], change: Change, distro: Addressee) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, wanted in _changes(change, distro):
        match wanted:
            case ListChange():
                result[name] = wanted.applied(values[name] or ())
            case MapChange():
                result[name] = wanted.applied(values[name])
            case ValueChange():
                result[name] = wanted.replace
    return result


def _removals(entry: Entry, distro: Addressee) -> Iterator[Fault]:
    """Yield a fault for everything that a change removes but that is not there."""
    values = _values(entry.form, distro)
    for change in entry.changes:
        for name, wanted in _changes(change, distro):
            if isinstance(wanted, ValueChange):
                continue
            items = values[name] or ()
            for missing in wanted.missing(items):
                document, path = change.origin.document, (*change.origin.path, name)
                yield Fault(
                    document.place_of(missing, *path) or document.place(*path),
                    f"'{missing}' is to be removed from '{name}', where it is not",
                    did_you_mean(missing, map(called, items), otherwise="delete it here"),
                )
        values |= _changed(values, change, distro)


def _unpackaged(entry: Entry, values: Mapping[str, Any], distro: Addressee) -> str:
    """Return why there is nothing to install, where that is told by distribution."""
    written = {name: getattr(entry.form, name) for name in ("packages", "artifacts")}
    by_word = {name: words for name, words in written.items() if isinstance(words, dict) and words}
    # What one has in packages, another may take from its publisher.
    if not by_word or any(values[name] is not None for name in by_word):
        return ""
    known = sorted({word for words in by_word.values() for word in words})
    return f"no {' or '.join(by_word)} for {distro.name}, only for {', '.join(known)}"
