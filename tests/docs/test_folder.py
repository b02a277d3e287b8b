"""Pages in a folder: what is written, what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.docs import MARK, Written, write_pages
from lamina.errors import StoreError, UsageError

FIRST = {"README.md": f"{MARK}\n\n# All\n", "redis.md": f"{MARK}\n\n# Redis\n"}


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_pages_are_written_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pages"

    first, second = write_pages(FIRST, folder), write_pages(FIRST, folder)

    assert content(folder) == FIRST
    assert first == Written(written=("README.md", "redis.md"), unchanged=(), removed=())
    assert second == Written(written=(), unchanged=("README.md", "redis.md"), removed=())


def test_a_page_of_a_family_that_is_no_more_is_removed(tmp_path: Path) -> None:
    write_pages(FIRST, tmp_path)
    (tmp_path / "own.md").write_text("# Mine\n")
    (tmp_path / "redis.yaml").write_text(MARK)
    older = f"{MARK.partition(' from ')[0]} in another year)\n"
    (tmp_path / "older.md").write_text(older)
    pages = {"README.md": FIRST["README.md"], "valkey.md": f"{MARK}\n"}

    written = write_pages(pages, tmp_path)

    assert content(tmp_path) == {**pages, "own.md": "# Mine\n", "redis.yaml": MARK}
    assert written == Written(
        written=("valkey.md",), unchanged=("README.md",), removed=("older.md", "redis.md")
    )


def test_a_file_of_somebodys_own_is_never_written_over(tmp_path: Path) -> None:
    for name in FIRST:
        (tmp_path / name).write_text("# Mine\n")

    with pytest.raises(UsageError) as refused:
        write_pages({**FIRST, "new.md": MARK}, tmp_path)

    assert [fault.place for fault in refused.value.faults] == [
        str(tmp_path / name) for name in sorted(FIRST)
    ]
    assert content(tmp_path) == dict.fromkeys(FIRST, "# Mine\n")


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError) as told:
        write_pages(FIRST, tmp_path / "file" / "pages")

    assert str(tmp_path / "file") in str(told.value)
