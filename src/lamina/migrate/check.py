"""A migration proved by rendering: what a deployment would ask for, before and after.

Every value that a changed reference is a part of, through however many variables, is rendered for
each distribution and type. It has to differ in the references to moved images and in nothing else.
Values that no changed text leads to are the same by themselves; parameters are compared by path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from lamina.errors import Fault
from lamina.migrate.decide import decide
from lamina.migrate.edit import apply_edits
from lamina.migrate.jinja import variables_of
from lamina.migrate.leaves import (
    Leaf,
    Path,
    is_yaml,
    leaves_of,
    moved_variables,
    role_of,
    variable_of,
)
from lamina.migrate.names import Names
from lamina.migrate.published import Exists
from lamina.migrate.readers import read
from lamina.migrate.references import references
from lamina.migrate.render import (
    NotVariablesError,
    Scope,
    Unrendered,
    UnrenderedError,
    Value,
    variables_in,
)
from lamina.migrate.tripleo.check import check_tripleo
from lamina.migrate.tripleo.entries import chooses
from lamina.model.image import Type

Texts = Mapping[str, str]
"""The files of a tree, by path."""

DISTROS = ("centos", "debian", "rhel", "ubuntu")
"""The distributions for which kolla-ansible composes names."""

_BASE = "kolla_base_distro"
_INSTALL = "kolla_install_type"
_DEFAULTS = re.compile(r"(?:^|/)roles/[^/]+/(?:defaults|vars)/.*\.ya?ml$")
_ALL = re.compile(r"(?:^|/)group_vars/all(?:\.ya?ml$|/.*\.ya?ml$|$)")
_GLOBALS = re.compile(r"(?:^|/)globals(?:\.ya?ml$|\.d/.*\.ya?ml$)")
_OTHERS = re.compile(r"(?:^|/)(?:group_vars|host_vars)/")
# What Ansible passes over beside files of variables.
_BESIDE = re.compile(r"(?:^|/)(?:\.|README)[^/]*$|~$|\.(?:bak|md|orig|rej|rst|txt)$")
# OCI distribution specification 1.1: a repository with its namespace and registry, and a tag.
_REFERENCE = re.compile(r"(?:[\w.\[\]:-]+/)?(?:[a-z0-9._-]+/)*[a-z0-9._-]+(?::[\w][\w.-]{0,127})?")

_BETWEEN = re.compile(r"""(?:[\s"'`,;=|&<>(){}]|docker://|\.(?=\s|$))+""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was proved, and what is wrong or could not be proved."""

    values: int  # that differ in references to moved images, and in nothing else
    renderings: int  # that this was seen in
    references: tuple[str, ...]  # that the deployment asks for now and did not before
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A tree before or after: its files, and what they set."""

    leaves: Mapping[str, Mapping[Path, Leaf]]
    variables: Mapping[str, Mapping[str, Value]]
    unread: Mapping[str, Fault]  # files that set variables which nobody can read

    @classmethod
    def of(cls, texts: Texts) -> _Side:
        """Read the files in YAML."""
        files = {path: text for path, text in texts.items() if is_yaml(path)}
        variables: dict[str, Mapping[str, Value]] = {}
        unread = {}
        for path, text in files.items():
            if _sets(path):
                try:
                    variables[path] = variables_in(text)
                except NotVariablesError as error:
                    unread[path] = Fault(path, f"its variables cannot be read: {error}", _READ)
        return cls(
            leaves={path: leaves_of(text) for path, text in files.items()},
            variables=variables,
            unread=unread,
        )

    def but(self, changed: Texts) -> _Side:
        """Return the side where some files have other texts."""
        other = _Side.of(changed)
        return _Side(
            leaves={**self.leaves, **other.leaves},
            variables={**self.variables, **other.variables},
            unread={**self.unread, **other.unread},
        )

    def scope(self, path: str, further: Mapping[str, Value]) -> Scope:
        """Return the variables that a file sees, in Ansible's order; `further` win over all."""
        own = self.variables.get(path, {})
        role = role_of(path) or "/"
        layers = [values for at, values in self.variables.items() if _DEFAULTS.search(at)]
        layers += self._below(f"{role}defaults/")
        layers += [values for at, values in self.variables.items() if _ALL.search(at)]
        layers += [own] if not _DEFAULTS.search(path) else []
        layers += self._below(f"{role}vars/")
        layers += [values for at, values in self.variables.items() if _GLOBALS.search(at)]
        return Scope(*layers, further)

    def _below(self, folder: str) -> list[Mapping[str, Value]]:
        return [values for at, values in self.variables.items() if at.startswith(folder)]


def check(before: Texts, after: Texts, names: Names, further: Mapping[str, Value]) -> Checked:
    """Return what is proved of a tree whose files were `before` and are `after`.

    `further` are variables that the deployment has from elsewhere, and that win over the tree's.
    """
    faults = list(_only_references(before, after, names))
    old = _Side.of(before)
    new = old.but({path: text for path, text in after.items() if before.get(path) != text})
    faults += _parameters(old, new)
    faults += new.unread.values()
    proofs = [
        _Proof(names=names, place=place, old=pair[0], new=pair[1], path=path)
        for path, place, pair in _affected(old, new)
    ]
    values = renderings = 0
    asked: set[str] = set()
    by_path: dict[str, list[_Proof]] = {}
    for proof in proofs:
        by_path.setdefault(proof.path, []).append(proof)
    for path, several in by_path.items():
        wrong: set[Fault] = set()
        for distro, type_ in product(DISTROS, Type):
            given = {**further, _BASE: distro, _INSTALL: str(type_)}
            scopes = old.scope(path, given), new.scope(path, given)
            for proof in several:
                renderings += 1
                wrong |= set(proof.faults(*scopes))
        scopes = old.scope(path, further), new.scope(path, further)
        for proof in several:
            found = proof.moved(*scopes)
            if isinstance(found, Fault):
                wrong.add(found)
            else:
                asked.update(found)
        values += len(several) - len({fault.place for fault in wrong})
        faults += sorted(wrong)
    tripleo = check_tripleo(before, after, names)
    faults += tripleo.faults
    return Checked(
        values=values + tripleo.values,
        renderings=renderings + tripleo.renderings,
        references=_with_tags({*asked, *tripleo.references}),
        faults=tuple(dict.fromkeys(faults)),
    )


def missing_references(references: Iterable[str], exists: Exists) -> tuple[Fault, ...]:
    """Return a fault for each of the `references` that is not published."""
    return tuple(
        Fault(reference, "not published under this name", "publish the image first")
        for reference in references
        if not exists(reference)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """A value of a file, before and after, and what is asked of it."""

    names: Names
    path: str
    place: str
    old: str
    new: str

    def faults(self, before: Scope, after: Scope) -> Iterator[Fault]:
        """Return what is wrong with the value in these surroundings."""
        try:
            was, is_ = before.render(self.old), after.render(self.new)
        except UnrenderedError as error:
            yield Fault(self.place, f"cannot be rendered: {error}", _SET)
            return
        for old, new in _texts(was, is_):
            expected = self._expected(old)
            if expected is None:
                yield Fault(self.place, f"'{old}' cannot be decided", "see what it means")
            elif new != old == expected:
                yield Fault(
                    self.place,
                    f"'{old}' is not known as an image that moves, but became '{new}'",
                    "see what its variables are set to, and take the change back by hand",
                )
            elif new != expected:
                yield Fault(
                    self.place,
                    f"'{old}' became '{new}', and not '{expected}'",
                    "this is an error in lamina: revert, and report it",
                )

    def moved(self, before: Scope, after: Scope) -> tuple[str, ...] | Fault:
        """Return the references of the deployment itself that are new."""
        try:
            was, is_ = before.render(self.old), after.render(self.new)
        except UnrenderedError as error:
            return Fault(self.place, f"cannot be rendered: {error}", _SET)
        found: set[str] = set()
        for old, new in _texts(was, is_):
            if old == new:
                continue
            words = _words(new) - _words(old)
            if not words:
                return Fault(self.place, f"which image '{new}' asks for cannot be told", _SEE)
            found |= words
        return tuple(found)

    def _expected(self, old: Value) -> Value | None:
        """Return what a rendered value is to become; None where that cannot be said."""
        if not isinstance(old, str):
            return old
        found = decide(self.path, old, self.names, references(old, template=False))
        return None if found.undecided else apply_edits(old, found.edits)


_SEE = "see by hand whether it is published"
_READ = "have a file in YAML there, without encryption while it is checked"
_SET = "give the file that sets it by `--vars FILE`, or see by hand what it becomes"


def _only_references(before: Texts, after: Texts, names: Names) -> Iterator[Fault]:
    """Return the files that changed in anything else than references."""
    for path, text in after.items():
        old = before.get(path)
        if old == text:
            continue
        if old is None or apply_edits(old, read(path, old, names).edits) != text:
            yield Fault(path, "more than references has changed", "see what else was changed")


def _parameters(old: _Side, new: _Side) -> Iterator[Fault]:
    """Return the files that do not set the same parameters as before."""
    for path, leaves in old.leaves.items():
        if leaves.keys() != new.leaves.get(path, {}).keys():
            yield Fault(path, "its parameters are not the same", "see what else was changed")


def _affected(old: _Side, new: _Side) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Return the values that a changed reference is a part of: path, place, before and after."""
    moved = moved_variables(old.leaves, new.leaves)
    for path, leaves in old.leaves.items():
        for at, leaf in leaves.items():
            other = new.leaves.get(path, {}).get(at)
            if other is None or chooses(at):
                continue
            leads = path in old.variables and variable_of(at) is not None
            if other.value != leaf.value or (leads and variables_of(leaf.value) & moved):
                yield path, f"{path}:{leaf.line}", (leaf.value, other.value)


def _texts(old: Value, new: Value) -> Iterator[tuple[Value, Value]]:
    """Return what stands at the same place in two values; the whole where they differ in form."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            yield from _texts(old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from _texts(one, other)
    elif isinstance(old, Unrendered) and isinstance(new, Unrendered):
        return  # a text that a changed reference leads to is looked at by itself
    elif isinstance(old, Unrendered) or isinstance(new, Unrendered):
        yield None, "what cannot be rendered"
    else:
        yield old, new


def _words(value: Value) -> frozenset[str]:
    """Return the words of a text that can be references, as a command's line has one of many."""
    words = _BETWEEN.split(str(value))
    return frozenset(word for word in words if _REFERENCE.fullmatch(word))


def _with_tags(asked: set[str]) -> tuple[str, ...]:
    """Return the references, without those that stand with a tag too."""
    tagged = {one.rpartition(":")[0] for one in asked if ":" in one.rpartition("/")[2]}
    return tuple(sorted(asked - tagged))


def _sets(path: str) -> bool:
    return not _BESIDE.search(path) and any(
        rule.search(path) for rule in (_DEFAULTS, _ALL, _GLOBALS, _OTHERS)
    )
