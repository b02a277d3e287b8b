"""Layers of units: each unit takes the same of any layer, and the layer holds them all."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import StoreError
from lamina.model.built import Layer
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.layer import write_layer, write_unit_layer
from lamina.oci.layout import Layout
from lamina.oci.tar import END
from lamina.oci.tree import merge_trees, scan_tree
from lamina.oci.untar import Limits, read_entries

EPOCH = 1_600_000_000
NOISE = hashlib.shake_256(b"noise").digest(1 << 20)
Trees = Mapping[str, Sequence[Entry]]
Content = tuple[bytes, int]  # what is repeated, and how long it is then
Unit = Mapping[str, Content]  # its files by path below a folder that all units have


def new_layout(place: Path) -> Layout:
    made = Layout(place)
    made.create()
    return made


def tree_of(root: Path, unit: Unit) -> Sequence[Entry]:
    """Make a unit's tree, and return its entries."""
    for path, (text, length) in unit.items():
        place = root / "usr/share" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((text * (length // len(text) + 1))[:length])
    root.mkdir(exist_ok=True)
    for place in (root, *root.rglob("*")):
        os.utime(place, (EPOCH, EPOCH), follow_symlinks=False)
    return scan_tree(root)


def layer_of(trees: Trees, layout: Layout, epoch: int = EPOCH) -> Layer:
    return write_unit_layer(trees, layout, mtime_limit=epoch)


texts = st.sampled_from([b"\0", b"a line of text\n", NOISE, NOISE[:1000], bytes(range(256))])
lengths = st.integers(0, 3000) | st.integers(250_000, 600_000)
units = st.dictionaries(
    st.sampled_from(["file", "a/file", "a/b/file", "a/other", "z", "long" * 60]),
    st.tuples(texts, lengths),
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(units, min_size=1, max_size=5), st.data())
def test_a_unit_takes_the_same_of_any_layer(fleet: Sequence[Unit], data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        layout = new_layout(Path(place, "layout"))
        trees = {
            f"unit-{number}": tree_of(
                Path(place, str(number)), {f"{path}.{number}": c for path, c in unit.items()}
            )
            for number, unit in enumerate(fleet)
        }
        together = layer_of(trees, layout)
        parts = {part.unit: part for part in together.parts}
        assert list(parts) == sorted(trees)
        for key, tree in trees.items():
            later = data.draw(st.integers(EPOCH, EPOCH + 9))
            assert layer_of({key: tree}, layout, later).parts == (parts[key],)
        # What is in no part is the directories' and the stream's own.
        folders = [e for e in merge_trees(trees.values()) if e.kind is EntryKind.DIRECTORY]
        bare = write_layer(folders, layout, mtime_limit=EPOCH)
        assert together.apparent - sum(part.apparent for part in together.parts) == bare.apparent
        framing = together.size - sum(part.size for part in together.parts) - bare.size
        assert 0 <= framing <= 32 * (len(trees) + 1)
        blob = layout.read_blob(together.digest)
        assert (together.size, together.apparent) == (len(blob), len(gzip.decompress(blob)))


UNITS: Mapping[str, Unit] = {
    "b": {"b/one": (b"one", 10_000), "common/b": (NOISE, 300_000)},
    "a": {"a/two": (b"two", 500), "common/a": (b"x", 4096)},
    "c": {"c": (b"c", 4097)},
}


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return {key: tree_of(tmp_path / key, unit) for key, unit in UNITS.items()}


def read(layout: Layout, layer: Layer) -> Sequence[tuple[Entry, bytes]]:
    """Return a layer's entries in their order, with what they hold."""
    with gzip.open(layout.blob_path(layer.digest)) as tar:
        return [(entry, b"".join(content)) for entry, content in read_entries(tar, Limits())]


def test_directories_come_first_and_then_unit_by_unit(trees: Trees, layout: Layout) -> None:
    paths = [entry.path for entry, _ in read(layout, layer_of(trees, layout))]
    folders = ["usr", "usr/share", *(f"usr/share/{name}" for name in ("a", "b", "common"))]
    assert paths == [
        *folders,
        *("usr/share/a/two", "usr/share/common/a"),
        *("usr/share/b/one", "usr/share/common/b"),
        "usr/share/c",
    ]


def test_a_layer_holds_what_its_units_hold(trees: Trees, layout: Layout) -> None:
    found = {entry.path: content for entry, content in read(layout, layer_of(trees, layout))}
    assert found == {
        entry.path: Path(entry.source).read_bytes() if entry.source else b""
        for tree in trees.values()
        for entry in tree
    }


def test_the_topmost_unit_s_directory_counts(layout: Layout) -> None:
    def folder(mode: int) -> Sequence[Entry]:
        return [Entry(path="d", kind=EntryKind.DIRECTORY, mode=mode, mtime=EPOCH)]

    for first, second in ((0o700, 0o755), (0o755, 0o700)):
        layer = layer_of({"z": folder(first), "a": folder(second)}, layout)
        assert [entry.mode for entry, _ in read(layout, layer)] == [first]
        assert [part.apparent for part in layer.parts] == [0, 0]


def test_the_same_bytes_come_from_any_order_of_names_and_units(
    trees: Trees, layout: Layout
) -> None:
    first = layer_of(trees, layout)
    turned = {key: tuple(reversed(trees[key])) for key in reversed(list(trees))}
    assert layer_of(turned, layout) == first


def test_a_failed_layer_of_units_leaves_nothing(
    trees: Trees, layout: Layout, tmp_path: Path
) -> None:
    with (tmp_path / "b/usr/share/b/one").open("ab") as file:
        file.write(b"more")
    with pytest.raises(StoreError, match="changed while it was read"):
        layer_of(trees, layout)
    assert layout.blobs() == {}
    assert list((layout.root / "unfinished").iterdir()) == []


def test_a_layer_of_one_unit_and_a_delta_of_the_same_have_the_same_entries(
    trees: Trees, layout: Layout
) -> None:
    unit = layer_of({"a": trees["a"]}, layout)
    delta = write_layer(trees["a"], layout, mtime_limit=EPOCH)
    assert sorted(read(layout, unit), key=lambda item: item[0].path) == read(layout, delta)
    assert (unit.apparent, unit.disk) == (delta.apparent, delta.disk)
    assert delta.parts == ()
    assert gzip.decompress(layout.read_blob(unit.digest)).endswith(END)


@pytest.mark.real
def test_a_layer_takes_the_blocks_that_a_disk_gives_it(layout: Layout, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    sizes = {"empty": 0, "one": 1, "block": 4096, "more": 4097, "large": 1_000_000}
    tree_of(tree, {f"{name}/{name}": (NOISE, size) for name, size in sizes.items()})
    (tree / "usr/share/again").hardlink_to(tree / "usr/share/large/large")
    (tree / "usr/link").symlink_to("share/one")
    os.mkfifo(tree / "usr/fifo")
    os.mknod(tree / "usr/null", 0o20666, os.makedev(1, 3))
    layer = layer_of({"unit": scan_tree(tree)}, layout)
    directories, blocks = 2 + len(sizes), 0 + 1 + 1 + 2 + 245
    assert layer.disk == 4096 * (directories + blocks)
    image, mounted = tmp_path / "ext4", tmp_path / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        out = mounted / "out"
        out.mkdir()
        subprocess.run(["tar", "-C", out, "-xpzf", layout.blob_path(layer.digest)], check=True)
        os.sync()
        told = subprocess.run(
            ["du", "--summarize", "--block-size=1", out], check=True, capture_output=True, text=True
        )
    finally:
        subprocess.run(["umount", mounted], check=True)
    # The folder around is no part of the layer.
    assert int(told.stdout.split()[0]) == layer.disk + 4096
