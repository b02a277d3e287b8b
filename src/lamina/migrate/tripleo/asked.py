"""The references that environments ask a moved template for, and did not ask for before."""

from __future__ import annotations

from collections.abc import Mapping

import yaml
from yaml.constructor import SafeConstructor

from lamina.errors import Fault
from lamina.migrate.tripleo.cases import Value, cases, count, decisive
from lamina.migrate.tripleo.choice import patterns_of
from lamina.migrate.tripleo.entries import Entry, entries_of
from lamina.migrate.tripleo.listed import defaults_of
from lamina.migrate.tripleo.pieces import environment
from lamina.migrate.tripleo.prefix import ALL, PARTS, SUFFIX
from lamina.migrate.tripleo.prepare import is_environment
from lamina.migrate.tripleo.proof import MOST_CASES, rendered_references
from lamina.migrate.tripleo.setting import hyphened

_NEEDED = ("namespace", ALL, "tag")


def asked(
    path: str, before: str, after: str, texts: Mapping[str, str]
) -> tuple[frozenset[str], tuple[Fault, ...]]:
    """Return what the environments among `texts` ask a template for, in every case of conditions.

    What an environment does not set, it has from the one in the template's folder. One that does
    not know all parts of a reference asks for none. A template that does not render is a fault.
    """
    defaults = defaults_of(path, texts) or {}
    found: set[str] = set()
    faults: dict[Fault, None] = {}
    for place, text in sorted(texts.items()):
        for entry in _entries(place, text):
            try:
                given = _completed({**defaults, **_set(entry)})
                if any(given.get(part) is None for part in _NEEDED):
                    continue
                new = _rendered(after, given) - _rendered(before, given)
            except Exception as error:  # whatever a tag or the template's expressions raise
                message = f"does not render with what {place} sets: {' '.join(str(error).split())}"
                faults[Fault(path, message, "see what it needs to be set")] = None
                continue
            found |= _chosen(entry, new)
    return frozenset(found), tuple(faults)


def _entries(path: str, text: str) -> tuple[Entry, ...]:
    try:
        return entries_of(text) if is_environment(path, text) else ()
    except yaml.YAMLError:
        return ()


def _set(entry: Entry) -> Mapping[str, Value]:
    return {name: SafeConstructor().construct_object(node) for name, node in entry.sets.items()}


def _completed(values: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return what is set with the hyphens that tripleo-common adds to prefix and suffix."""
    suffix = str(values.get(SUFFIX) or "")
    if suffix and not suffix.startswith("-"):
        suffix = f"-{suffix}"
    prefix = values.get(ALL)
    return {
        **values,
        ALL: None if prefix is None else hyphened(str(prefix)),
        SUFFIX: suffix,
    }


def _rendered(template: str, given: Mapping[str, Value]) -> frozenset[str]:
    jinja = environment()
    found = decisive(jinja.parse(template))
    variables = {name: values for name, values in found.items() if name not in PARTS}
    if count(variables) > MOST_CASES:
        return frozenset()  # the template's proof says so
    once = jinja.from_string(template)
    return frozenset(
        reference
        for case in cases(variables)
        for reference in rendered_references(once, {**given, **case})
    )


def _chosen(entry: Entry, references: frozenset[str]) -> frozenset[str]:
    """Return those of the references that the entry's expressions choose."""
    for what, nodes in entry.chooses.items():
        patterns = patterns_of(nodes)
        chosen = {one for one in references if any(it.search(one) for it in patterns)}
        return frozenset(chosen if what == "includes" else references - chosen)
    return references
