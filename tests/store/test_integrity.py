"""Damage in the store: found, and found cheaply when there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.model.digest import Digest
from lamina.store.integrity import SealedFolder, check_download


@pytest.fixture
def folder(tmp_path: Path) -> SealedFolder:
    """A folder that was sealed and kept."""
    made = tmp_path / "made"
    (made / "usr/bin").mkdir(parents=True)
    (made / "usr/bin/cron").write_bytes(b"program" * 100)
    (made / "usr/bin/crontab").symlink_to("cron")
    (made / "usr/empty").mkdir()
    (tmp_path / "work").mkdir()
    folder = SealedFolder(tmp_path / "kept", work=tmp_path / "work")
    folder.keep(made)
    time.sleep(0.02)  # the kernel's clock for files ticks every few milliseconds
    return folder


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


def test_what_nobody_touched_is_intact(folder: SealedFolder) -> None:
    assert (folder.path / "usr/bin/cron").read_bytes() == b"program" * 100
    assert folder.is_intact()


def test_reading_breaks_no_seal(folder: SealedFolder) -> None:
    subprocess.run(["grep", "-r", "program", folder.path], check=True, capture_output=True)
    assert folder.is_intact()


@pytest.mark.parametrize("text", ["", "x", f"{Digest.of(b'')}\n", "\0"])
def test_a_damaged_seal_holds_nothing(folder: SealedFolder, text: str) -> None:
    folder.seal.write_text(text)
    assert not folder.is_intact()


def test_a_folder_without_a_seal_is_not_intact(folder: SealedFolder) -> None:
    folder.seal.unlink()
    assert not folder.is_intact()


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
    "another mode of the folder itself": lambda tree: tree.chmod(0o700),
    "nothing left": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_breaks_the_seal(folder: SealedFolder, damage: Callable[[Path], object]) -> None:
    damage(folder.path)
    assert not folder.is_intact()


@pytest.mark.real
def test_another_owner_breaks_the_seal(folder: SealedFolder) -> None:
    os.chown(folder.path / "usr/bin/cron", 42, 42)
    assert not folder.is_intact()


def test_a_copy_is_not_what_was_sealed(folder: SealedFolder, tmp_path: Path) -> None:
    copy = SealedFolder(tmp_path / "copy", work=folder.work)
    shutil.copytree(folder.path, copy.path, symlinks=True)
    shutil.copyfile(folder.seal, copy.seal)
    assert not copy.is_intact()
    assert folder.is_intact()
