"""The record of the last build: kept whole, replaced by builds only, never in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model.event import Outcome
from lamina.model.image import ImageId, Type
from lamina.model.run import Run, Step, Turn
from lamina.store.history import from_json, to_json
from lamina.store.store import Store

BASE, NOVA = ImageId("base"), ImageId("nova-api", Type.SOURCE)


def run(outcome: Outcome = "built", started: str = "2026-01-02T03:04:05Z") -> Run:
    steps = (Step(name="unpack", began=0.5), Step(name="layers", began=2.25))
    base = Turn(
        image=BASE, parent=None, worker=0, began=0.5, ended=3.125, outcome=outcome, steps=steps
    )
    nova = Turn(image=NOVA, parent=BASE, worker=1, began=3.126, ended=4.0, outcome="unchanged")
    return Run(started=started, seconds=4.1, jobs=2, turns=(base, nova))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def test_of_a_new_store_there_is_no_last_run(store: Store) -> None:
    assert store.history.last("debian-13") is None


def test_a_run_is_read_as_it_was_kept(store: Store) -> None:
    store.history.keep("debian-13", run())

    assert store.history.last("debian-13") == run()


def test_each_distribution_has_a_record_of_its_own(store: Store) -> None:
    store.history.keep("debian-13", run())

    assert store.history.last("debian-12") is None


def test_a_later_build_takes_the_place_of_the_one_before(store: Store) -> None:
    later = run(started="2026-02-03T04:05:06Z")
    store.history.keep("debian-13", run())
    store.history.keep("debian-13", later)

    assert store.history.last("debian-13") == later


@pytest.mark.parametrize("outcome", ["unchanged", "tested", "failed", "interrupted"])
def test_a_run_in_which_nothing_was_built_replaces_no_record(
    store: Store, outcome: Outcome
) -> None:
    store.history.keep("debian-13", run())
    store.history.keep("debian-13", run(outcome, started="2026-02-03T04:05:06Z"))

    assert store.history.last("debian-13") == run()


def test_no_half_written_record_is_ever_seen(store: Store) -> None:
    store.history.keep("debian-13", run())
    (record,) = (store.root / "runs").iterdir()
    before = record.stat().st_ino
    store.history.keep("debian-13", replace(run(), seconds=9.0))

    assert record.stat().st_ino != before
    assert list((store.root / "work").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff\xfe", to_json(run())[:-1], to_json(run()) + b" ", b"[" * 100_000],
)
def test_a_damaged_record_is_none(store: Store, content: bytes) -> None:
    (store.root / "runs/debian-13.json").write_bytes(content)

    assert store.history.last("debian-13") is None


def test_a_folder_in_the_records_place_is_none(store: Store) -> None:
    (store.root / "runs/debian-13.json").mkdir()

    assert store.history.last("debian-13") is None


@given(position=st.integers(0, len(to_json(run())) - 1), byte=st.integers(0, 255))
def test_a_record_of_which_one_byte_changed_is_refused(position: int, byte: int) -> None:
    text = bytearray(to_json(run()))
    if text[position] == byte:
        return
    text[position] = byte

    with pytest.raises(ValueError, match="not as it was written"):
        from_json(bytes(text))
