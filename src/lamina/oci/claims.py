"""Files and folders that a living process claims with flock, so that the dead leave no mess."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lamina.oci.disk import write_all


@contextmanager
def locked(
    path: Path, *, shared: bool = False, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold an flock on the existing file or folder `path` for the block.

    `on_wait` is called once when another holds it, before the wait for its end.
    """
    held = os.open(path, os.O_RDONLY)
    try:
        _wait_for(held, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, on_wait)
        yield
    finally:
        os.close(held)


@contextmanager
def locked_name(path: Path, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold an flock on a file of its own at `path` for the block; the file goes away after it.

    `on_wait` as in `locked`.
    """
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _wait_for(held, fcntl.LOCK_EX, on_wait)
            # Who held it before removed the file: then this lock is on a file without a name.
            if _same_file(held, path):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(held)


@contextmanager
def claimed_folder(parent: Path) -> Iterator[Path]:
    """Give a new folder in `parent`, claimed while the block runs and removed after it."""
    path = parent / secrets.token_hex(8)
    with locked(parent):
        path.mkdir(mode=0o700)
        held = os.open(path, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(held)


@contextmanager
def claimed_file(parent: Path) -> Iterator[tuple[Path, int]]:
    """Give a new file in `parent`, open for writing, and remove it after the block.

    The block may rename it, and then it stays.
    """
    path = parent / secrets.token_hex(8)
    with locked(parent):
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield path, held
    finally:
        path.unlink(missing_ok=True)
        os.close(held)


def replace_file(path: Path, content: bytes, *, aside: Path, durable: bool = False) -> None:
    """Make `content` the whole content of the file at `path`, in one step.

    It is written in the folder `aside` first. With `durable` it is on disk before that step.
    """
    with claimed_file(aside) as (new, file):
        write_all(file, content)
        if durable:
            os.fsync(file)
        new.replace(path)


def sweep(parent: Path) -> None:
    """Remove what dead processes left in `parent`: all that nobody claims."""
    dead: list[tuple[Path, int]] = []
    with locked(parent):
        for path in sorted(parent.iterdir()):
            with suppress(OSError):
                held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(held)
                else:
                    dead.append((path, held))
    # Removed outside the lock, for a large folder takes long; the claims keep others off.
    for path, held in dead:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        os.close(held)


def _wait_for(held: int, kind: int, on_wait: Callable[[], None] | None) -> None:
    """Take an flock, as soon as it is free."""
    try:
        fcntl.flock(held, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if on_wait:
            on_wait()
        fcntl.flock(held, kind)


def _same_file(held: int, path: Path) -> bool:
    """Tell whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except FileNotFoundError:
        return False
