from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lamina.catalog.document import read_document

YAMLISH = st.text(alphabet=st.sampled_from("ab:-[]{},&*!|>'\"#%@`?\n\t ~<\\x00é"), max_size=80)


def faults_of(content: bytes) -> list[str]:
    return [str(fault) for fault in read_document(content, "file.yaml")[1]]


@given(YAMLISH)
def test_any_text_is_a_document_or_a_fault_with_its_line(text: str) -> None:
    document, faults = read_document(text.encode(), "file.yaml")
    assert document or faults
    lines = text.count("\n") + 1
    for fault in faults:
        line = int(fault.place.removeprefix("file.yaml:"))
        # The end of the text counts as a line of its own.
        assert 1 <= line <= lines + 1
        assert fault.message
        assert fault.remedy


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_fault(content: bytes) -> None:
    document, faults = read_document(content, "file.yaml")
    assert document or faults


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=12,
    )
)
def test_a_document_has_the_values_that_were_written(value: object) -> None:
    content = yaml.safe_dump({"key": value}).encode()
    document, faults = read_document(content, "file.yaml")
    assert faults == ()
    assert document
    assert document.raw == {"key": value}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[" * 60_000, "file.yaml: more than 10000 brackets\n  split the file"),
        (b"- " * 60_000, "file.yaml:1: a line of more than 10000 characters\n  break the line"),
        (b"", "file.yaml:1: the file is empty\n  give it content or delete it"),
    ],
)
def test_a_file_that_would_exhaust_the_parser_is_refused_before(content: bytes, fault: str) -> None:
    assert faults_of(content) == [fault]


def test_a_place_is_the_line_of_a_key_or_an_item() -> None:
    content = (
        b"images:\n  cron:\n    packages:\n      - cron\n      - logrotate\n    command: [a]\n"
    )
    document, _ = read_document(content, "infra/cron.yaml")
    assert document
    places = {
        ("images",): 1,
        ("images", "cron"): 2,
        ("images", "cron", "packages"): 3,
        ("images", "cron", "packages", 1): 5,
        ("images", "cron", "parent"): 2,
        ("images", "ptp", "parent"): 1,
        (): 1,
    }
    found = {path: document.place(*path) for path in places}
    assert found == {path: f"infra/cron.yaml:{line}" for path, line in places.items()}


def test_a_text_is_found_only_below_its_path() -> None:
    content = b"images:\n  cron: {command: [cron]}\n  ptp:\n    packages:\n      - cron\n"
    document, _ = read_document(content, "file.yaml")
    assert document
    assert document.place_of("cron", "images", "ptp") == "file.yaml:5"
    assert document.place_of("cron", "images", "cron", "command") == "file.yaml:2"
    assert document.place_of("gone", "images") == ""
