"""The real registry behind TLS and a password, and a proxy before it that fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.registry.guarded import Guarded, guarded_registry
from tests.registry.proxy import Proxy, running_proxy


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One registry for all tests: each uses repositories of its own."""
    with guarded_registry(tmp_path_factory.mktemp("registry")) as there:
        yield there


@pytest.fixture
def proxy(guarded: Guarded) -> Iterator[Proxy]:
    """A proxy before it, without faults as yet."""
    with running_proxy(guarded) as running:
        yield running


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A file of some size, a blob to be."""
    file = tmp_path / "blob"
    file.write_bytes(tmp_path.name.encode() + bytes(range(256)) * 12_000)  # about 3 MB
    return file
