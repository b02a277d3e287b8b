"""Layers listed without being unpacked."""

from __future__ import annotations

import gzip
import io

import pytest
from tests.diff.builds import layer_blob

from lamina.errors import StoreError
from lamina.model.digest import Digest
from lamina.oci.entry import EntryKind
from lamina.oci.listing import list_layer


def test_every_entry_is_listed_and_files_with_the_digest_of_their_content() -> None:
    large = "x" * 1_000_000
    _, blob = layer_blob({"etc/large": large, "etc/motd": "hello\n"})

    listed = list_layer(io.BytesIO(blob))

    assert [(one.entry.path, one.entry.kind, one.content) for one in listed] == [
        ("etc", EntryKind.DIRECTORY, None),
        ("etc/large", EntryKind.FILE, Digest.of(large.encode())),
        ("etc/motd", EntryKind.FILE, Digest.of(b"hello\n")),
    ]


def test_compressed_members_one_behind_the_other_are_one_layer() -> None:
    tar, _ = layer_blob({"a": "1"})

    cut = gzip.compress(tar[:700]) + gzip.compress(tar[700:])

    assert [one.entry.path for one in list_layer(io.BytesIO(cut))] == ["a"]


@pytest.mark.parametrize("end", [0, 5, 40])
def test_a_layer_that_ends_too_early_is_refused(end: int) -> None:
    _, blob = layer_blob({"a": "1"})

    with pytest.raises(StoreError, match="the layer is refused"):
        list_layer(io.BytesIO(blob[:end]))
