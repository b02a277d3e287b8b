"""What tests of the whole program share: a store with a small part of the fleet, really built."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lamina.model.digest import Digest
from lamina.oci.layout import Layout
from lamina.store.store import Store

# Quick to build, and of every sort: a parent with children, services, users, an openstack type.
SMALL = ("cron", "chrony", "memcached", "redis-base+", "source-openstack-base")

# Set in each of the processes that a test run is divided among.
WORKER = os.environ.get("PYTEST_XDIST_WORKER")

# LAMINA_TEST_DISTRO names another distribution, for tests that hold for any: the differential ones.
DISTRO = os.environ.get("LAMINA_TEST_DISTRO") or "debian-13"

# Bytecode is kept, as it is where lamina is installed: without, every start takes a second longer.
AS_INSTALLED = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}


def pytest_configure() -> None:
    """Let what tests start be interrupted: of a run in the background it would inherit not to."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: the processes of a test run then end at the same time."""
    items.sort(key=lambda item: item.get_closest_marker("real") is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A folder with a store and a lock, and lamina to be called in it."""

    folder: Path
    distro: str = DISTRO

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def lock(self) -> Path:
        return self.folder / "lamina.lock.json"

    def start(
        self, *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start lamina as a user does, its output to be read by the caller."""
        return subprocess.Popen(
            [sys.executable, "-m", "lamina", *words],
            cwd=self.folder,
            env={
                **AS_INSTALLED,
                "LAMINA_STORE": str(self.store),
                "LAMINA_DISTRO": self.distro,
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def lamina(
        self, *words: str, environment: Mapping[str, str] | None = None, code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run lamina to its end, and expect this exit code unless it is None."""
        process = self.start(*words, environment=environment)
        output, messages = process.communicate()
        if code is not None:
            assert process.returncode == code, f"{words}: {output}{messages}"
        return subprocess.CompletedProcess(words, process.returncode, output, messages)


def reseal(store: Store) -> None:
    """Seal the units and deltas of a copied store, which count as changed otherwise."""
    for parts, keep in ((store.units, store.keep_unit), (store.deltas, store.keep_delta)):
        for part in sorted(path for path in parts.iterdir() if path.is_dir()):
            with store.work_folder() as work:
                keep(part.rename(work / part.name), Digest(part.name))


@contextmanager
def a_copy(workshop: Workshop, folder: Path) -> Iterator[Workshop]:
    """Give a copy of a workshop in `folder`, which is removed in the end."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(workshop.folder), str(folder)], check=True)
    reseal(Store(folder / "store"))
    try:
        yield Workshop(folder=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def once(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """Give a folder that all processes of a test run share, and whether it is to be filled.

    One process has it at a time; who leaves without an error has filled it. LAMINA_TEST_FOLDER
    names where to keep it and use it again, which makes the next run quicker.
    """
    run = tmp_path_factory.getbasetemp()
    if WORKER:
        run = run.parent
    kept = os.environ.get("LAMINA_TEST_FOLDER")
    folder = Path(kept or run, name)
    folder.mkdir(parents=True, exist_ok=True)
    filled = run / f"{name}-filled"
    with (run / f"{name}-turn").open("wb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield folder, not filled.exists()
        filled.touch()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty OCI image layout."""
    layout = Layout(tmp_path / "layout")
    layout.create()
    return layout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """The small fleet, locked and built; not to be changed.

    It is built once. Of several processes each has a copy: what only looks leaves traces, too.
    """
    with once(tmp_path_factory, "small-fleet") as (folder, to_fill):
        first = Workshop(folder=folder)
        if to_fill:
            first.lamina("lock")
            first.lamina("build", *SMALL)
    if not WORKER:
        yield first
        return
    with a_copy(first, tmp_path_factory.mktemp("built") / "workshop") as workshop:
        yield workshop


@pytest.fixture
def workshop(built: Workshop, tmp_path: Path) -> Iterator[Workshop]:
    """A copy of the built small fleet, to be changed, damaged and interrupted."""
    with a_copy(built, tmp_path / "workshop") as workshop:
        yield workshop


@pytest.fixture
def unbuilt(built: Workshop, tmp_path: Path) -> Iterator[Workshop]:
    """The lock and the downloads of the small fleet, and nothing built yet."""
    fresh = Workshop(folder=tmp_path / "unbuilt")
    fresh.store.mkdir(parents=True)
    shutil.copy(built.lock, fresh.lock)
    shutil.copy(built.store / "format", fresh.store / "format")
    shutil.copytree(built.store / "downloads", fresh.store / "downloads")
    yield fresh
    shutil.rmtree(fresh.folder, ignore_errors=True)
