from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.engine.unit import Directory, LibraryCall, UnitFacts
from lamina.model.digest import Digest
from lamina.model.lock import UnitKind

names = st.text(max_size=8) | st.sampled_from(["\udcff", "a/b", ""])
digests = st.binary(max_size=2).map(Digest.of)
lists = st.lists(names, max_size=3).map(tuple)
numbers = st.integers(0, 2**33)
facts = st.builds(
    UnitFacts,
    digest=digests,
    name=names,
    instance=names,
    version=names,
    architecture=names,
    epoch=numbers,
    size=numbers,
    conffiles=lists,
    files=lists,
    directories=st.lists(st.builds(Directory, names, numbers, numbers, numbers), max_size=3).map(
        tuple
    ),
    links=lists,
    listed=lists,
    interests=lists,
    activates=lists,
    notifies=lists,
    compiles=lists,
    compiled=lists,
    library=st.none() | st.builds(LibraryCall, argv=lists, owner=names, folder=names),
    left=lists,
    derived=lists,
    asks=st.booleans(),
    real=names,
    husk=names,
    kind=st.sampled_from(UnitKind),
)


@given(facts)
def test_facts_survive_the_disk(given_facts: UnitFacts) -> None:
    text = given_facts.to_json()
    assert UnitFacts.from_json(text.encode("ascii").decode()) == given_facts


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '"x"', *(f'{{"format": 3{more}}}' for more in ("", ', "files": 3'))],
)
def test_damaged_facts_are_told(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        UnitFacts.from_json(text)


def test_facts_with_something_missing_are_told() -> None:
    whole = json.loads(
        UnitFacts(
            digest=Digest.of(b"x"), name="x", instance="x", version="1", architecture="all",
            epoch=0, size=0, conffiles=(), files=(), links=(),
            directories=(Directory("a", 1, 2, 3),),
        ).to_json()
    )  # fmt: skip
    for name in whole.keys() - {"format"}:
        part = {key: value for key, value in whole.items() if key != name}
        with pytest.raises((ValueError, KeyError, TypeError)):
            UnitFacts.from_json(json.dumps(part))


@pytest.mark.parametrize("text", ["{}", '{"name": "x"}', '{"format": 1, "new": []}'])
def test_facts_that_another_version_wrote_count_as_none(text: str) -> None:
    assert UnitFacts.from_json(text) is None
