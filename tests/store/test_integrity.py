"""Damage in the store: found, and found cheaply when there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.model.digest import Digest
from lamina.store import integrity
from lamina.store.integrity import Seal, check_download, renewed, seal, tree_digest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/cron").write_bytes(b"program" * 100)
    (root / "usr/bin/crontab").symlink_to("cron")
    (root / "usr/empty").mkdir()
    return root


@pytest.mark.parametrize(
    ("content", "size", "good"),
    [(b"package", 7, True), (b"package", 8, False), (b"pack4ge", 7, False), (b"", 7, False)],
)
def test_a_download_is_what_its_digest_and_size_say(
    tmp_path: Path, content: bytes, size: int, good: bool
) -> None:
    path = tmp_path / "download"
    path.write_bytes(content)
    assert check_download(path, Digest.of(b"package"), size) is good


def test_a_download_that_is_not_there_is_not_good(tmp_path: Path) -> None:
    assert not check_download(tmp_path / "nothing", Digest.of(b""), 0)


def test_a_tree_has_the_same_digest_wherever_it_lies(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    assert tree_digest(tree) == tree_digest(tmp_path / "copy")


def test_a_seal_comes_back_from_its_text(tree: Path) -> None:
    made = seal(tree)
    assert Seal.from_text(made.to_text()) == made


@pytest.mark.parametrize("text", ["", "x", f"{Digest.of(b'')}", "a b", "a b c"])
def test_what_is_no_seal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Seal.from_text(text)


def flip_a_byte(tree: Path) -> None:
    with (tree / "usr/bin/cron").open("r+b") as file:
        file.write(b"P")


def flip_a_byte_and_set_the_time_back(tree: Path) -> None:
    file = tree / "usr/bin/cron"
    before = file.stat()
    flip_a_byte(tree)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def change_a_target(tree: Path) -> None:
    (tree / "usr/bin/crontab").unlink()
    (tree / "usr/bin/crontab").symlink_to("elsewhere")


def turn_a_file_into_a_directory(tree: Path) -> None:
    (tree / "usr/bin/cron").unlink()
    (tree / "usr/bin/cron").mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a flipped byte": flip_a_byte,
    "a flipped byte and the time set back": flip_a_byte_and_set_the_time_back,
    "another mode": lambda tree: (tree / "usr/bin/cron").chmod(0o4755),
    "another mode of a directory": lambda tree: (tree / "usr/empty").chmod(0o700),
    "another target": change_a_target,
    "an attribute": lambda tree: os.setxattr(tree / "usr/bin/cron", "user.x", b"1"),
    "a file more": lambda tree: (tree / "usr/empty/file").touch(),
    "a file less": lambda tree: (tree / "usr/bin/cron").unlink(),
    "a directory in place of a file": turn_a_file_into_a_directory,
    "nothing left": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_breaks_the_seal(tree: Path, damage: Callable[[Path], object]) -> None:
    made = seal(tree)
    damage(tree)
    assert renewed(tree, made) is None


@pytest.mark.real
def test_another_owner_breaks_the_seal(tree: Path) -> None:
    made = seal(tree)
    os.chown(tree / "usr/bin/cron", 42, 42)
    assert renewed(tree, made) is None


def test_a_copy_keeps_the_content_and_gets_a_mark_of_its_own(tree: Path, tmp_path: Path) -> None:
    made = seal(tree)
    shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    now = renewed(tmp_path / "copy", made)
    assert now is not None
    assert now.content == made.content
    assert now.mark != made.mark


def test_an_untouched_tree_is_not_read_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = seal(tree)
    monkeypatch.setattr(integrity, "tree_digest", lambda _root: pytest.fail("content was read"))
    assert renewed(tree, made) == made
