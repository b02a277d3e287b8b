"""Records of built images: what is written is read back, and every change is noticed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model.artifact import Placement, Recipe
from lamina.model.built import Built, Inputs, Layer, Part
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId, Type
from lamina.model.lock import UnitRef
from lamina.store.built_json import from_json, to_json

digests = st.binary(min_size=1, max_size=4).map(Digest.of)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
sizes = st.integers(0, 2**40)
ids = st.builds(
    ImageId,
    st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(
        lambda name: not name.startswith(("binary", "source"))
    ),
    st.sampled_from([None, *Type]),
)
packages = st.builds(
    UnitRef,
    name=texts, version=texts, architecture=texts, repository=texts, path=texts,
    size=sizes, digest=digests,
)  # fmt: skip
placements = st.builds(
    Placement,
    source=texts, to=texts, mode=st.none() | st.integers(0, 0o7777), uid=sizes, gid=sizes,
    without=st.lists(texts, max_size=2).map(tuple),
)  # fmt: skip
recipes = st.builds(
    Recipe, install=st.lists(placements, max_size=2).map(tuple), date=st.none() | sizes
)
artifacts = st.builds(
    replace, packages, size=st.none() | sizes, recipe=recipes,
    pinned=st.sampled_from(["catalogue", "first sight"]),
)  # fmt: skip
units = packages | artifacts
parts = st.builds(Part, unit=texts, size=sizes, apparent=sizes)
layers = st.builds(
    Layer,
    diff_id=digests, digest=digests, size=sizes, apparent=sizes, disk=sizes, media_type=texts,
    parts=st.lists(parts, max_size=3).map(tuple),
)  # fmt: skip
inputs = st.builds(
    Inputs,
    engine=st.integers(0, 9),
    codec=st.text(),
    parent=st.none() | digests,
    calls=digests,
    layers=digests,
    units=st.dictionaries(texts, texts, max_size=3),
    files=st.dictionaries(texts, texts, max_size=3),
    entry=digests,
)
images = st.builds(
    Built,
    id=ids, key=digests, inputs=inputs, parent=st.none() | digests, manifest=digests,
    manifest_size=sizes, config=digests,
    units=st.lists(units, max_size=3).map(tuple),
    trees=st.dictionaries(texts, digests, max_size=3),
    layers=st.lists(layers, max_size=3).map(tuple),
    own_layers=st.integers(0, 60),
    epoch=sizes,
    seconds=st.floats(0, 1e6, allow_nan=False),
    tested=st.none() | digests,
)  # fmt: skip


@given(images)
def test_a_record_comes_back_as_it_was(built: Built) -> None:
    back = from_json(to_json(built))
    assert back == built
    assert list(back.trees) == list(built.trees)


@given(images, st.data())
def test_a_changed_byte_is_noticed(built: Built, data: st.DataObject) -> None:
    text = bytearray(to_json(built))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= 1 << data.draw(st.integers(0, 6))
    with pytest.raises(ValueError, match="not as it was written"):
        from_json(bytes(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        canonical_json({"format": 1, "built": {}, "digest": str(Digest.of(b""))}),
        canonical_json({"format": 2, "built": {}, "digest": str(Digest.of(b"{}"))}),
        canonical_json({"format": 1, "built": {}, "digest": str(Digest.of(b"{}"))}),
        canonical_json({"format": 1, "built": [], "digest": str(Digest.of(b"[]"))}),
    ],
)
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text)


@given(images)
def test_records_are_canonical(built: Built) -> None:
    text = to_json(built)
    assert canonical_json(json.loads(text)) == text
