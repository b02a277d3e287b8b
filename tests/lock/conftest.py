"""What the real tests share: a solver's root, and repositories signed with a key of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.lock.archive import Archive, Key, new_key


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store whose solver's root is made by the first test that uses it."""
    store = tmp_path_factory.mktemp("store")
    yield store
    shutil.rmtree(store)  # a whole system: too large to be kept as pytest keeps its folders


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with new_key() as key:
        yield key


@pytest.fixture
def archive(tmp_path: Path, key: Key) -> Archive:
    """A repository with a tool, its data, an enemy of the base, and virtual packages."""
    folder = tmp_path / "extras"
    folder.mkdir()
    archive = Archive(folder=folder, key=key)
    archive.add("tool", "1.0", Depends="tool-data (= 1.0)")
    archive.add("tool-data", "1.0")
    archive.add("enemy", "1.0", Conflicts="tzdata")
    archive.add("left", "1.0", Provides="side", Conflicts="right")
    archive.add("right", "1.0", Provides="side")
    archive.add("only", "1.0", Provides="lonely")
    archive.publish()
    return archive


@pytest.fixture
def moved_on(archive: Archive) -> Callable[[], None]:
    """Publish a new version of the tool in place of the old one, and a package that needs it."""

    def publish() -> None:
        for name in ("tool", "tool-data"):
            archive.withdraw(name, "1.0")
        archive.add("tool", "2.0", Depends="tool-data (= 2.0)")
        archive.add("tool-data", "2.0")
        archive.add("newer", "1.0", Depends="tool (>= 2.0)")
        archive.publish()

    return publish
