"""Backends are tested with packages written entry by entry, by `tests.backends.packages`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backends.compiling import Compiler
from tests.backends.pythons import interpreter_package

from lamina.backends.deb.unit import make_unit
from lamina.engine.unit import TREE
from lamina.model.digest import Digest


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of a small interpreter."""
    place = tmp_path_factory.mktemp("interpreter")
    (place / "unit").mkdir()
    make_unit(interpreter_package(place), place / "unit", Digest.of(b""))
    return place / "unit" / TREE


@pytest.fixture
def compiler(tmp_path: Path, interpreter: Path) -> Compiler:
    return Compiler(tmp_path, (interpreter,))
