"""The JSON Schema of the catalogue's files, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from lamina.catalog.artifact_parts import SourcesForm
from lamina.catalog.cadences import CadencesForm
from lamina.catalog.forms import AccountsForm, DistroForm, FamilyForm, RulesForm

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return one schema for every file of a catalogue.

    A file is told from the others by a key that only its form has, so that an editor's messages
    are about that form alone.
    """
    forms = {
        "family": FamilyForm,
        "distro": DistroForm,
        "sources": SourcesForm,
        "rules": RulesForm,
        "cadences": CadencesForm,
        "accounts": AccountsForm,
    }
    references, schema = TypeAdapter.json_schemas(
        [(name, "validation", TypeAdapter(form)) for name, form in forms.items()]
    )
    by_form = {name: reference for (name, _), reference in references.items()}
    return {
        "$schema": _DIALECT,
        "title": "A file of a lamina catalogue",
        "type": "object",
        "if": {"required": ["images"]},
        "then": by_form["family"],
        "else": {
            "if": {"required": ["backend"]},
            "then": by_form["distro"],
            "else": {
                "if": {"required": ["sources"]},
                "then": by_form["sources"],
                "else": {
                    "if": {"required": ["rules"]},
                    "then": by_form["rules"],
                    "else": {
                        "if": {"required": ["cadences"]},
                        "then": by_form["cadences"],
                        "else": by_form["accounts"],
                    },
                },
            },
        },
        "$defs": _closed(schema["$defs"]),
    }


def _closed(schema: Any) -> Any:
    """Return `schema` as strict as the loader: no other keys, and no key without a value."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    result = {
        key: _closed(value)
        for key, value in schema.items()
        if not (key == "default" and value is None)
    }
    if "patternProperties" in result:
        result["additionalProperties"] = False
    return result
