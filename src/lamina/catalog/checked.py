"""Documents checked against their forms; what pydantic finds becomes a fault with its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from lamina.catalog.document import Document
from lamina.catalog.texts import FAULT
from lamina.errors import Fault
from lamina.model.spelling import did_you_mean

T = TypeVar("T")
Location = tuple[str | int, ...]

# What is wanted by the type of pydantic's error, and how it is written.
_WANTED = {
    "bool_type": ("true or false", "write it without quotes"),
    "dataclass_type": ("a mapping", "write it as '{key: value}'"),
    "dict_type": ("a mapping", "write it as '{key: value}'"),
    "int_type": ("a whole number", "write digits only, without quotes"),
    "list_or_map": ("a list or a mapping", "write it as '[one, two]' or '{key: value}'"),
    "no_change": ("a mapping", "write 'append', 'remove' or 'replace' below it"),
    "string_type": ("text", "put it in quotes"),
    "tuple_type": ("a list", "write it as '[one, two]'"),
}
_BOUNDS = {"greater_than_equal": ("least", "ge"), "less_than_equal": ("most", "le")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Generic[T]):
    """What a document says, as far as it is right, and what is wrong with it."""

    form: T | None
    faults: tuple[Fault, ...] = ()
    broken: frozenset[str] = frozenset()  # entries left out of the form for their faults


def checked(adapter: TypeAdapter[T], document: Document) -> Checked[T]:
    """Return the form of `document` and all its faults.

    Entries that have a fault are left out, so that the others can still be checked against each
    other.
    """
    try:
        return Checked(form=adapter.validate_python(document.raw))
    except ValidationError as error:
        details = error.errors(include_url=False)
    faults = tuple(_fault(detail, adapter, document) for detail in details)
    entries = {tuple(detail["loc"][:2]) for detail in details}
    broken = frozenset(str(entry[1]) for entry in entries if len(entry) > 1)
    try:
        form = adapter.validate_python(_without(document.raw, entries))
    except ValidationError:
        # Not in an entry, but in what holds the file together.
        return Checked(form=None, faults=faults, broken=broken)
    return Checked(form=form, faults=faults, broken=broken)


def _without(raw: Mapping[str, Any], entries: Collection[Location]) -> dict[str, Any]:
    """Return `raw` without the keys, or keys of its mappings, that `entries` name."""
    return {
        key: {name: entry for name, entry in value.items() if (key, name) not in entries}
        if isinstance(value, dict)
        else value
        for key, value in raw.items()
        if (key,) not in entries
    }


def _fault(detail: ErrorDetails, adapter: TypeAdapter[Any], document: Document) -> Fault:
    location = detail["loc"]
    message, remedy = _words(detail, _Keys(adapter))
    return Fault(document.place(*location), message, remedy)


def _words(detail: ErrorDetails, keys: _Keys) -> tuple[str, str]:
    """Return message and remedy for one of pydantic's errors."""
    location, kind, value = detail["loc"], detail["type"], detail["input"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    subject = _subject(location)
    if kind == FAULT:
        return str(context["message"]), str(context["remedy"])
    if kind == "unexpected_keyword_argument":
        return _unknown_key(location, keys)
    if kind in ("missing", "missing_argument"):
        return f"{subject} is missing", "add it"
    if kind in _WANTED:
        wanted, remedy = _WANTED[kind]
        if isinstance(value, dict | list) and kind == "string_type":
            remedy = "write a single text there"
        elif "change" in location and kind == "dataclass_type":
            remedy = "write 'append', 'remove' or 'replace' below it"
        return f"{subject} must be {wanted}, not {_what(value)}", remedy
    if kind in ("enum", "literal_error"):
        expected = str(context["expected"])
        words = expected.replace("'", "").replace(" or ", ", ").split(", ")
        remedy = did_you_mean(str(value), words, otherwise="there is no other")
        return f"{subject} must be {expected}, not {_what(value)}", remedy
    if kind == "too_short":
        return f"{subject} is empty", "give it an item"
    if kind in _BOUNDS:
        bound, word = _BOUNDS[kind]
        limit = context[word]
        return f"{subject} must be at {bound} {limit}, not {value}", f"write at {bound} {limit}"
    message = str(detail["msg"])
    return f"{subject}: {message[:1].lower()}{message[1:]}", "see the catalogue's JSON Schema"


def _unknown_key(location: Location, keys: _Keys) -> tuple[str, str]:
    *parents, key = location
    if parents and parents[-1] == "<change>":
        return (
            f"the key '{key}' stands beside 'change'",
            "put it into 'change', or write a whole image under a name of its own",
        )
    known = keys.at(tuple(parents))
    otherwise = f"known are: {', '.join(sorted(known))}"
    return f"unknown key '{key}'", did_you_mean(str(key), known, otherwise=otherwise)


def _subject(location: Location) -> str:
    """Return how people call what stands at `location`: `'mode'`, `item 2 of 'packages'`."""
    parts = [part for part in location if isinstance(part, int) or part[:1] not in ("<", "[")]
    subject = "the file"
    for part in parts:
        subject = f"item {part + 1} of {subject}" if isinstance(part, int) else f"'{part}'"
    return subject


def _what(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"'{value}'"


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys that a form knows, read from its JSON Schema."""

    adapter: TypeAdapter[Any]

    def at(self, location: Location) -> frozenset[str]:
        """Return the keys of every mapping that may stand at `location`."""
        schema = self.adapter.json_schema()
        definitions = schema.get("$defs", {})
        nodes = list(_variants(schema, definitions))
        for part in location:
            below = [child for node in nodes for child in _below(node, part, definitions)]
            nodes = [variant for node in below for variant in _variants(node, definitions)]
        return frozenset(key for node in nodes for key in node.get("properties", {}))


def _variants(node: Any, definitions: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas that `node` stands for, references and alternatives followed."""
    if not isinstance(node, dict):
        return
    yield node
    if "$ref" in node:
        yield from _variants(definitions[node["$ref"].rpartition("/")[2]], definitions)
    for word in ("anyOf", "oneOf", "allOf"):
        for choice in node.get(word, ()):
            yield from _variants(choice, definitions)


def _below(node: dict[str, Any], part: str | int, definitions: Mapping[str, Any]) -> Iterator[Any]:
    if isinstance(part, int):
        yield node.get("items")
    elif part[:1] in ("<", "["):
        # A tag of pydantic's, no key of the file; it may be the name of a form.
        yield definitions.get(part[1:-1], node)
    elif part in node.get("properties", {}):
        yield node["properties"][part]
    else:
        yield node.get("additionalProperties")
        yield from node.get("patternProperties", {}).values()
