"""What a refusal of an artifact must be: told with the member's name, and without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.artifacts.releases import a_ref, line

from lamina.backends.artifact.unit import make_artifact
from lamina.errors import BuildError
from lamina.model.artifact import Placement

OUTSIDE = "OUTSIDE"  # stands for a folder beside the unit's
ALL = line("./", "/opt/sample/")


def refusal(content: bytes, path: str, place: Path, install: Placement = ALL) -> str:
    """Make a unit, expect that it is refused and that nothing at all is left of it."""
    download = place / "download"
    download.write_bytes(content)
    unit = place / "units" / "folder"
    unit.mkdir(parents=True)
    with untouched(place), pytest.raises(BuildError) as error:
        make_artifact(download, unit, a_ref(content, path, install))
    assert list(unit.iterdir()) == []
    (fault,) = error.value.faults
    assert fault.place == "artifact sample 1.0"
    assert fault.remedy
    assert fault.message.isprintable()
    return fault.message


@contextmanager
def untouched(place: Path) -> Iterator[None]:
    """Check that nothing around the unit's folder is changed, nor the host's secrets linked."""
    neighbour = place / OUTSIDE
    neighbour.mkdir(exist_ok=True)
    (neighbour / "mine").write_text("mine")
    before = _around(place)
    yield
    assert _around(place) == before


def _around(place: Path) -> object:
    neighbour = place / OUTSIDE
    there = {
        (str(path), path.lstat().st_mtime_ns, path.lstat().st_nlink)
        for path in (neighbour, *neighbour.rglob("*"))
    }
    folders = set(place.iterdir()), set((place / "units").iterdir())
    return there, folders, Path("/etc/shadow").stat().st_nlink
