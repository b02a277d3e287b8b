from __future__ import annotations

from pathlib import Path

import pytest
from tests.catalog.cases import case_names, expected, outcome

BROKEN = [name for name in case_names() if not name.startswith("good-")]


@pytest.mark.parametrize("name", case_names())
def test_a_catalogue_becomes_what_its_case_expects(name: str, tmp_path: Path) -> None:
    assert outcome(name, tmp_path) == expected(name)


@pytest.mark.parametrize("name", BROKEN)
def test_every_fault_has_a_place_and_a_remedy(name: str) -> None:
    kind, *lines = expected(name).splitlines()
    faults, remedies = lines[::2], lines[1::2]
    assert len(faults) == len(remedies)
    assert all(remedy.startswith("  ") for remedy in remedies)
    # What is wrong with the command line stands in no file.
    assert kind == "UsageError" or all(": " in fault and fault[0] != " " for fault in faults)
