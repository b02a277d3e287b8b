"""What a real registry and a real node hold is what the storage report says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.conftest import Workshop
from tests.whole.engines import podman, run
from tests.whole.registry import Registry, registry

pytestmark = pytest.mark.real

WITHIN = 0.01


@pytest.fixture(scope="module")
def pushed(
    built: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Registry, tuple[str, ...]]]:
    """A registry with every image of the small fleet, and the references to them."""
    layout = built.store / "oci"
    index = json.loads((layout / "index.json").read_text())
    names = [
        entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]
    ]
    with registry(tmp_path_factory.mktemp("registry")) as there:
        yield there, tuple(there.push(layout, name) for name in sorted(names))


def test_a_registry_holds_as_much_as_the_report_says(
    built: Workshop, pushed: tuple[Registry, tuple[str, ...]]
) -> None:
    report = json.loads(built.lamina("storage", "--json").stdout)

    assert sum(pushed[0].blobs().values()) == report["fleet"]["registry"]


def test_a_node_holds_as_much_as_the_report_says(
    built: Workshop,
    pushed: tuple[Registry, tuple[str, ...]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    node = json.loads(built.lamina("storage", "--json").stdout)["fleet"]["node"]
    folder = tmp_path_factory.mktemp("node")
    with podman(folder) as engine:
        for reference in pushed[1]:
            run([*engine.program, "pull", "--quiet", "--tls-verify=false", reference])

    layers = json.loads((folder / "root" / "overlay-layers" / "layers.json").read_text())
    assert sum(layer["diff-size"] for layer in layers) == pytest.approx(
        node["uncompressed"], rel=WITHIN
    )
    assert disk(folder.glob("root/overlay/*/diff")) == pytest.approx(node["disk"], rel=WITHIN)


def disk(folders: Iterable[Path]) -> int:
    """Return the bytes that the file system has given to all below the folders."""
    total = 0
    for folder in folders:
        for above, folders_in, files in os.walk(folder):
            for name in (*folders_in, *files):
                status = os.lstat(Path(above, name))
                total += status.st_blocks * 512 // status.st_nlink ** (name in files)
    return total
