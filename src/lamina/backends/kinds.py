"""The kinds of units: for each, what makes one of a file, and what helps without the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lamina.backends.artifact.remedies import artifact_remedies
from lamina.backends.artifact.unit import make_artifact
from lamina.backends.deb.unit import make_unit
from lamina.engine.unit import UnitFacts
from lamina.fetch import REMEDIES, Cause
from lamina.model.lock import UnitKind, UnitRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What differs between kinds of units."""

    # The file is unpacked into the new, empty folder. Raises `BuildError` for one that cannot be.
    make_unit: Callable[[Path, Path, UnitRef], UnitFacts]
    remedies: Callable[[UnitRef], Mapping[Cause, str]]


def _make_package(file: Path, folder: Path, ref: UnitRef) -> UnitFacts:
    return make_unit(file, folder, ref.digest)


def _package_remedies(_ref: UnitRef) -> Mapping[Cause, str]:
    return REMEDIES


BACKENDS: Mapping[UnitKind, Backend] = MappingProxyType(
    {
        UnitKind.PACKAGE: Backend(make_unit=_make_package, remedies=_package_remedies),
        UnitKind.ARTIFACT: Backend(make_unit=make_artifact, remedies=artifact_remedies),
    }
)
