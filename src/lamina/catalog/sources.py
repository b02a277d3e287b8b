"""The places that artifacts come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from lamina.catalog.artifact_parts import SourcesForm
from lamina.catalog.checked import checked
from lamina.catalog.folder import SOURCES, Folder
from lamina.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Every place that an artifact may come from, and what is wrong with their files."""

    urls: Mapping[str, str]  # by name, without a slash at the end
    places: Mapping[str, str]  # FILE:LINE of each, by name
    complete: bool  # false when a fault may have hidden some
    faults: tuple[Fault, ...]


def read_sources(folders: Sequence[Folder]) -> Sources:
    """Return the places of all `folders`; of one name, the last folder's counts."""
    urls: dict[str, str] = {}
    places: dict[str, str] = {}
    faults: list[Fault] = []
    for folder in folders:
        for document, found in folder.documents(SOURCES):
            faults.extend(found)
            if document is None:
                continue
            result = checked(_adapter(), document)
            faults.extend(result.faults)
            for name, form in (result.form.sources if result.form else {}).items():
                urls[name] = form.url.rstrip("/")
                places[name] = document.place("sources", name)
    return Sources(urls=urls, places=places, complete=not faults, faults=tuple(faults))


@cache
def _adapter() -> TypeAdapter[SourcesForm]:
    return TypeAdapter(SourcesForm)
