"""How often images are published, by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, TypeAdapter, with_config

from lamina.catalog.checked import checked
from lamina.catalog.folder import CADENCES, Folder
from lamina.catalog.parts import CLOSED
from lamina.errors import Fault
from lamina.model.cadence import Cadence
from lamina.model.image import Kind

# Of what a deployment stands on little changes that cannot wait, and a restart costs much.
USUAL: Mapping[Kind, Cadence] = MappingProxyType(
    {Kind.INFRA: Cadence.WEEKLY, Kind.OPENSTACK: Cadence.DAILY}
)


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class CadencesForm:
    """`cadences.yaml`: how often images that have changed are published."""

    cadences: Annotated[
        dict[Kind, Cadence],
        Field(description="`daily`, `weekly` or `on-change` for the images of a kind."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadences:
    """The cadence of every kind, and what is wrong with the files."""

    by_kind: Mapping[Kind, Cadence]
    faults: tuple[Fault, ...]


def read_cadences(folders: Sequence[Folder]) -> Cadences:
    """Return the cadences of all `folders`; of one kind, the last folder's counts."""
    by_kind = dict(USUAL)
    faults: list[Fault] = []
    for folder in folders:
        for document, found in folder.documents(CADENCES):
            faults.extend(found)
            if document is not None:
                result = checked(_adapter(), document)
                faults.extend(result.faults)
                by_kind |= result.form.cadences if result.form else {}
    return Cadences(by_kind=by_kind, faults=tuple(faults))


@cache
def _adapter() -> TypeAdapter[CadencesForm]:
    return TypeAdapter(CadencesForm)
