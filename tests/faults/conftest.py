"""What the tests of faults share: a small store for each, on a file system of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.conftest import Workshop, reseal
from tests.faults.bench import DISTRO, IMAGES, Bench, units_of
from tests.faults.mirror import package_mirror
from tests.fetch.mirror import Mirror

from lamina.lock import read_lock
from lamina.model.digest import Digest
from lamina.store.store import Store


@pytest.fixture(scope="session")
def small(built: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The images of these tests alone, really built; not to be changed."""
    bench = Bench(folder=tmp_path_factory.mktemp("small"))
    source, store = Store(built.store), Store.open(bench.root)
    shutil.copy(built.lock, bench.folder)
    current = source.read_current(DISTRO).images
    chosen = [made for image, made in current.items() if image.name in ("base", *IMAGES)]
    for made in chosen:
        parts = [source.delta_path(made.manifest), source.records.path(made.key)]
        blobs = (made.manifest, made.config, *(layer.digest for layer in made.layers))
        parts += [source.layout.blob_path(blob) for blob in blobs]
        parts += [path for unit in units_of(made) if (path := source.unit_path(unit)).exists()]
        parts += [source.download_path(unit.digest) for unit in made.units]
        for part in parts:
            _copy(part, bench.root / part.relative_to(built.store))
    reseal(store)
    bench.lamina("build", *IMAGES)
    assert bench.manifests() == {str(made.id): made.manifest for made in chosen}
    return bench


@pytest.fixture
def mirror(small: Bench) -> Iterator[Mirror]:
    """A mirror with the packages of these images."""
    lock = read_lock(small.folder / "lamina.lock.json")
    with package_mirror(lock.units.values(), small.store) as mirror:
        yield mirror


@pytest.fixture
def bench(small: Bench, mirror: Mirror, tmp_path: Path) -> Iterator[Bench]:
    """A copy of the small store on a file system of its own, and the mirror as its only source."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", folder], check=True)
    try:
        for item in small.folder.iterdir():
            _copy(item, folder / item.name)
        reseal(Store(folder / "store"))
        addresses = {
            "LAMINA_MIRROR_DEBIAN": f"{mirror.url}/debian",
            "LAMINA_MIRROR_DEBIAN_SECURITY": f"{mirror.url}/debian-security",
        }
        yield Bench(folder=folder, environment=addresses)
    finally:
        # Lazily: what a failed test left running must not keep the others from theirs.
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def manifests(small: Bench) -> Mapping[str, Digest]:
    """The manifests of an undisturbed build."""
    return small.manifests()


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "-T", source, target], check=True)
