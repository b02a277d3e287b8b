"""What is wrong between entries: parents, kinds, names, users, repositories."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from lamina.catalog.accounts import Accounts
from lamina.catalog.artifacts import artifact_faults
from lamina.catalog.changes import ChangeForm, MapChange
from lamina.catalog.distros import Distros, is_known
from lamina.catalog.forms import ImageForm
from lamina.catalog.images import TYPE_WORD
from lamina.catalog.projects import is_project
from lamina.catalog.proofs import ServiceProofForm
from lamina.catalog.sources import Sources
from lamina.catalog.specs import Spec, Specs, owners_of
from lamina.errors import Fault
from lamina.model.catalog import Distro
from lamina.model.contract import START
from lamina.model.image import Kind, Type
from lamina.model.names import reserved_words
from lamina.model.spelling import did_you_mean

ROOT = "base"

# Debian Policy Manual, section 5.6.1.
_DEB_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What entries are checked against, beside each other."""

    distro: Distro
    distros: Distros
    accounts: Accounts
    sources: Sources


def relation_faults(specs: Specs, surroundings: Surroundings) -> Iterator[Fault]:
    """Yield everything that is wrong between `specs`, and between them and `surroundings`.

    What may only seem wrong, because something else could not be read, is left out.
    """
    if not specs.entries.may_exist(ROOT):
        message = f"no image '{ROOT}', from which all others descend"
        yield Fault("infra", message, f"write it to 'infra/{ROOT}.yaml'")
    yield from _cycles(specs)
    yield from _names(specs, surroundings.distros)
    for spec in specs.by_name.values():
        yield from _parent(spec, specs)
        yield from _kind(spec, specs)
        yield from _type_words(spec)
        yield from _packages(spec, surroundings.distro)
        yield from _repositories(spec, surroundings.distro)
        yield from _words(spec, surroundings.distros)
        yield from _files(spec)
        yield from _accounts(spec, specs, surroundings.accounts)
        yield from _tests(spec, specs)
    yield from artifact_faults(
        specs, surroundings.accounts, surroundings.sources, surroundings.distro
    )


def _cycles(specs: Specs) -> Iterator[Fault]:
    seen: set[str] = set()
    for name in sorted(specs.by_name):
        lineage = [spec.name for spec in specs.lineage(name)]
        last = specs.by_name[lineage[-1]].form.parent
        if last not in lineage or seen & set(lineage):
            seen.update(lineage)
            continue
        seen.update(lineage)
        # What leads into the cycle is no part of it; the first by name begins it.
        cycle = lineage[lineage.index(last) :]
        start = cycle.index(min(cycle))
        around = [*cycle[start:], *cycle[:start], cycle[start]]
        place = specs.by_name[around[0]].entry.place("parent")
        message = f"a cycle of parents: {' -> '.join(around)}"
        yield Fault(place, message, "give one of them another parent")


def _parent(spec: Spec, specs: Specs) -> Iterator[Fault]:
    parent = spec.form.parent
    if parent is None:
        if spec.name != ROOT:
            yield Fault(
                spec.entry.place(),
                f"the image '{spec.name}' has no parent",
                f"add 'parent: {ROOT}', or another image",
            )
    elif not specs.entries.may_exist(parent) and parent != ROOT:
        renamed = [other.name for other in specs.by_name.values() if parent in other.form.aliases]
        if renamed:
            remedy = f"it is called '{renamed[0]}' now"
        else:
            otherwise = "add it, or name another image"
            remedy = did_you_mean(parent, specs.by_name, otherwise=otherwise)
        message = f"the parent '{parent}' of '{spec.name}' does not exist"
        yield Fault(spec.entry.place("parent"), message, remedy)


def _kind(spec: Spec, specs: Specs) -> Iterator[Fault]:
    place, types = spec.entry.place, spec.form.types
    parent = specs.by_name.get(spec.form.parent or "")
    if spec.kind is Kind.INFRA:
        if types:
            message = f"the infra image '{spec.name}' has types"
            remedy = "delete 'types', or say 'kind: openstack'"
            yield Fault(place("types"), message, remedy)
        if parent and parent.kind is Kind.OPENSTACK:
            yield Fault(
                place("parent"),
                f"the infra image '{spec.name}' is below the openstack image '{parent.name}'",
                "give it an infra image as parent, or say 'kind: openstack'",
            )
        return
    if not types:
        message = f"the openstack image '{spec.name}' has no types"
        remedy = f"add 'types: [{', '.join(Type)}]', or one of them"
        yield Fault(place(), message, remedy)
    if parent and parent.kind is Kind.OPENSTACK and parent.form.types:
        for type_ in types:
            if type_ not in parent.form.types:
                message = f"the parent '{parent.name}' of '{spec.name}' is not built as {type_}"
                remedy = f"add '{type_}' to the types of '{parent.name}', or delete it here"
                yield Fault(place("types", type_), message, remedy)


def _type_words(spec: Spec) -> Iterator[Fault]:
    if spec.kind is Kind.OPENSTACK:
        return
    for key in ("environment", "labels"):
        values: Mapping[str, str] = getattr(spec.form, key)
        for name, text in values.items():
            if TYPE_WORD in text:
                yield Fault(
                    spec.entry.place(key, name),
                    f"'{name}' speaks of a type, and the infra image '{spec.name}' has none",
                    "say it in 'openstack-base', where the types begin",
                )


def _names(specs: Specs, distros: Distros) -> Iterator[Fault]:
    reserved = reserved_words(distros.shorts)
    owners: dict[str, str] = {}
    for spec in specs.by_name.values():
        yield from _reserved(spec.name, "image", spec.entry.place(), reserved)
        for alias in spec.form.aliases:
            place = spec.entry.place("aliases", alias)
            yield from _reserved(alias, "alias", place, reserved)
            owner = owners.setdefault(alias, spec.name)
            if alias in specs.by_name:
                message = f"the alias '{alias}' of '{spec.name}' is the name of an image"
                yield Fault(place, message, "delete the alias, or rename the image")
            elif owner != spec.name:
                message = f"the alias '{alias}' belongs to '{owner}' and to '{spec.name}'"
                yield Fault(place, message, "delete one of the two")


def _reserved(name: str, what: str, place: str, reserved: frozenset[str]) -> Iterator[Fault]:
    first, _, rest = name.partition("-")
    if first in reserved:
        yield Fault(
            place,
            f"the {what} '{name}' begins with '{first}', which lamina puts before names itself",
            f"call it '{rest}'" if rest else "give it another name",
        )


def _packages(spec: Spec, distro: Distro) -> Iterator[Fault]:
    for package in spec.packages:
        if distro.backend == "deb" and not _DEB_NAME.fullmatch(package):
            yield Fault(
                spec.entry.place("packages", package),
                f"'{package}' is not the name of a Debian package",
                "use two or more lower-case letters, digits, '+', '-' and '.'",
            )
    if spec.kind is Kind.OPENSTACK:
        return
    written = spec.entry.form.packages or ()
    lists = (spec.packages, *(written.values() if isinstance(written, dict) else (written,)))
    for package in sorted({package for packages in lists for package in packages}):
        if is_project(package):
            yield Fault(
                spec.entry.place("packages", package),
                f"the infra image '{spec.name}' installs '{package}', a project of OpenStack",
                "say 'kind: openstack' with 'types', or install it elsewhere",
            )


def _repositories(spec: Spec, distro: Distro) -> Iterator[Fault]:
    known = [repository.name for repository in distro.repositories]
    for name in spec.repositories:
        if name not in known:
            yield Fault(
                spec.entry.place("repositories", name),
                f"{distro.name} has no repository '{name}'",
                did_you_mean(name, known, otherwise=f"it has: {', '.join(known)}"),
            )


def _words(spec: Spec, distros: Distros) -> Iterator[Fault]:
    """Yield the distributions that nobody has heard of."""
    entry, words = spec.entry, distros.words
    written = [(entry.origin, _by_distro(entry.form))]
    written += [(change.origin, _by_distro(change.form)) for change in entry.changes]
    for origin, by_key in written:
        for key, word in ((key, word) for key, found in by_key.items() for word in found):
            if not is_known(word, words):
                otherwise = f"known are: {', '.join(sorted(words))}"
                remedy = did_you_mean(word, words, otherwise=otherwise)
                yield Fault(origin.place(key, word), f"no distribution '{word}'", remedy)


def _by_distro(form: ImageForm | ChangeForm) -> Mapping[str, Collection[str]]:
    """Return the words of distributions in `form`, by the key that they stand in."""
    distros = form.distros
    words: dict[str, Collection[str]] = {}
    if isinstance(distros, MapChange):
        words["distros"] = distros.append
    elif distros:
        words["distros"] = distros
    if isinstance(form.packages, dict):
        words["packages"] = form.packages
    if isinstance(form.repositories, dict):
        words["repositories"] = form.repositories
    if isinstance(form.artifacts, dict):
        words["artifacts"] = form.artifacts
    return words


def _files(spec: Spec) -> Iterator[Fault]:
    paths: set[str] = set()
    for file in spec.form.files:
        if file.path in paths:
            message = f"two files of '{spec.name}' go to '{file.path}'"
            yield Fault(spec.entry.place("files", file.path), message, "delete one of the two")
        paths.add(file.path)


def _accounts(spec: Spec, specs: Specs, accounts: Accounts) -> Iterator[Fault]:
    place = spec.entry.place
    for name in spec.form.users:
        if name not in accounts.users and accounts.complete:
            otherwise = "give it ids in 'users.yaml'"
            remedy = did_you_mean(name, accounts.users, otherwise=otherwise)
            key = "user" if name == spec.entry.form.user else "users"
            yield Fault(place(key, name), f"the user '{name}' has no id", remedy)
    for name in spec.form.groups:
        if name not in accounts.groups and accounts.complete:
            otherwise = "give it an id in 'users.yaml'"
            remedy = did_you_mean(name, accounts.groups, otherwise=otherwise)
            yield Fault(place("groups", name), f"the group '{name}' has no id", remedy)
    yield from _run_as(spec, specs, accounts)


def _run_as(spec: Spec, specs: Specs, accounts: Accounts) -> Iterator[Fault]:
    owners = owners_of(specs.lineage(spec.name), accounts)
    if spec.form.run_as is None or owners is None:
        return
    user, _, group = spec.form.run_as.partition(":")
    for what, name, known in (("user", user, owners.users), ("group", group, owners.groups)):
        if name and name not in known:
            yield Fault(
                spec.entry.place("run_as"),
                f"'{spec.name}' runs as the {what} '{name}', which neither it nor an ancestor has",
                did_you_mean(name, known - {"root"}, otherwise=f"add it to '{what}s'"),
            )


def _tests(spec: Spec, specs: Specs) -> Iterator[Fault]:
    """Yield what the tests that start a service lack."""
    tests = [test for test in spec.form.test if isinstance(test, ServiceProofForm)]
    lineage = specs.lineage(spec.name)
    if not tests or lineage[-1].form.parent is not None:
        # An ancestor that could not be read may have what is lacking.
        return
    forms = [each.form for each in lineage]
    entrypoint = next((form.entrypoint for form in forms if form.entrypoint is not None), ())
    command = next((form.command for form in forms if form.command is not None), ())
    if START not in (*entrypoint, *command):
        yield Fault(
            spec.entry.place("test", tests[0].config.command),
            f"the test of '{tests[0].config.command}' has a 'config', which '{spec.name}' does not "
            f"read, for it does not start '{START}'",
            f"delete its 'command', or let it be [{START}]"
            if spec.form.command
            else f"have it start '{START}' by 'entrypoint' and 'command', as 'base' does",
        )
    if any(form.healthcheck for form in forms):
        return
    for test in tests:
        if test.healthcheck is None:
            yield Fault(
                spec.entry.place("test", test.config.command),
                f"the test of '{test.config.command}' has no 'healthcheck', and neither has "
                f"'{spec.name}'",
                "add one, such as '[healthcheck_listen, PROCESS, PORT]'",
            )
