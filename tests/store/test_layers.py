"""Records of layers that were written: found by what they were made of, while they are whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.model.built import Layer
from lamina.model.digest import Digest
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.layer import write_unit_layer
from lamina.oci.layout import Layout
from lamina.store.layers import Layers


@pytest.fixture
def layers(tmp_path: Path, layout: Layout) -> Layers:
    for name in ("records", "work"):
        (tmp_path / name).mkdir()
    return Layers(folder=tmp_path / "records", work=tmp_path / "work", layout=layout)


MADE_OF = Digest.of(b"units")


def written(layout: Layout) -> Layer:
    fifo = Entry(path="fifo", kind=EntryKind.FIFO)
    return write_unit_layer({"b": [fifo], "a": []}, layout, mtime_limit=0)


def test_a_written_layer_is_found_by_what_it_was_made_of(layers: Layers) -> None:
    layer = written(layers.layout)
    assert layers.find(MADE_OF) is None
    layers.keep(MADE_OF, layer)
    assert layers.find(MADE_OF) == layer
    assert layers.find(Digest.of(b"others")) is None
    assert list(layers.all()) == [(MADE_OF, layer)]
    assert list(layers.work.iterdir()) == []


def lose_the_blob(layers: Layers, blob: Path) -> None:
    blob.unlink()


def shorten_the_blob(layers: Layers, blob: Path) -> None:
    os.truncate(blob, blob.stat().st_size - 1)


def lengthen_the_blob(layers: Layers, blob: Path) -> None:
    with blob.open("ab") as file:
        file.write(b"\0")


def cut_the_record(layers: Layers, blob: Path) -> None:
    os.truncate(layers.path(MADE_OF), 20)


def empty_the_record(layers: Layers, blob: Path) -> None:
    layers.path(MADE_OF).write_bytes(b"{}")


def change_the_kind_of_record(layers: Layers, blob: Path) -> None:
    layers.path(MADE_OF).write_bytes(b'["digest"]')


def change_a_digest(layers: Layers, blob: Path) -> None:
    text = layers.path(MADE_OF).read_text()
    layers.path(MADE_OF).write_text(text.replace("sha256:", "md5:"))


DAMAGES = (
    *(lose_the_blob, shorten_the_blob, lengthen_the_blob),
    *(cut_the_record, empty_the_record, change_the_kind_of_record, change_a_digest),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_layer_that_is_not_as_it_was_written_is_not_found(
    damage: Callable[[Layers, Path], None], layers: Layers
) -> None:
    layer = written(layers.layout)
    layers.keep(MADE_OF, layer)
    damage(layers, layers.layout.blob_path(layer.digest))
    assert layers.find(MADE_OF) is None
    assert list(layers.all()) == [(MADE_OF, None)]
    layers.keep(MADE_OF, written(layers.layout))
    assert layers.find(MADE_OF) == layer
