"""Paths walked by root: once something is found, its name no longer matters."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from kolla_contract import paths
from kolla_contract.plan import Properties
from kolla_contract.writing import give, write_file

pytestmark = pytest.mark.real

MINE = Properties(uid=42436, gid=42436, mode=0o600)


def test_what_was_found_is_changed_though_its_name_leads_elsewhere_by_now(tmp_path: Path) -> None:
    found, secret = tmp_path / "found", tmp_path / "secret"
    found.write_text("")
    secret.write_text("")
    with paths.at(str(found)) as descriptor:
        found.rename(tmp_path / "moved")
        found.symlink_to(secret)
        give(descriptor, MINE)
    assert secret.stat().st_uid == 0
    assert (tmp_path / "moved").stat().st_uid == MINE.uid


def test_a_file_is_written_where_its_directory_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()

    class Swapping(io.BytesIO):
        """The directory is swapped for a link while the content is read."""

        def read(self, size: int | None = -1, /) -> bytes:
            if folder.is_dir() and not folder.is_symlink():
                folder.rename(tmp_path / "moved")
                folder.symlink_to(elsewhere)
            return super().read(size)

    write_file(str(folder / "file"), Swapping(b"content"), MINE)
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "moved" / "file").read_bytes() == b"content"


def test_a_descriptor_is_closed_whatever_the_walk_comes_to(tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(tmp_path)
    (tmp_path / "relative").symlink_to("../" + tmp_path.name)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "foreign").symlink_to("/")
    os.chown(tmp_path / "foreign", 42436, 42436, follow_symlinks=False)
    before = _open_descriptors()
    with paths.at(f"{tmp_path}/absolute/relative/absolute") as descriptor:
        assert os.fstat(descriptor).st_ino == tmp_path.stat().st_ino
    for name in ("loop/x", "foreign/x", "gone", "gone/x"):
        path = f"{tmp_path}/{name}"
        with pytest.raises(OSError, match=path), paths.at(path):
            pass
    assert _open_descriptors() == before


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("owner", "mode", "roots"),
    [
        ((0, 0), 0o755, True),
        ((0, 0), 0o775, True),
        ((0, 42400), 0o755, True),
        ((0, 42400), 0o775, False),
        ((0, 0), 0o757, False),
        ((0, 0), 0o1777, False),
        ((42436, 0), 0o700, False),
    ],
)
def test_a_directory_is_roots_if_nobody_else_can_change_it(
    tmp_path: Path, owner: tuple[int, int], mode: int, roots: bool
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.chown(folder, *owner)
    folder.chmod(mode)
    with paths.at(str(folder)) as descriptor:
        assert paths.is_roots(descriptor) is roots
