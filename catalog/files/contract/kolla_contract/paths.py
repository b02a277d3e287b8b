"""Paths walked one name at a time, so that nobody but root decides where root arrives.

Programs of the contract run as root, in directories that a service's user may own and change at
any moment. A link is followed only where root alone can have put it; everything is then done
through descriptors of what was found, never by its name a second time.

Sources: open(2) on O_PATH and O_NOFOLLOW, path_resolution(7), proc_pid_fd(5).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

_LINKS = 40  # as many as the kernel follows for one path
_NODE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class ForeignLinkError(OSError):
    """A link that another than root may have put there."""


@contextmanager
def at(path: str, *, start: int | None = None, make: bool = False) -> Iterator[int]:
    """Give a descriptor (O_PATH) of what `path` leads to, from the directory `start` or the root.

    Directories that are missing on the way, the last included, are made if `make`. Raises
    `ForeignLinkError` for a link that is not to be followed, and `OSError` as opening would.
    """
    descriptor = _walk(path, start, make=make)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def parent(path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Give a descriptor of the directory that `path` lies in, and the name it has there."""
    folder, _, name = path.rpartition("/")
    with at(folder, make=make) as descriptor:
        yield descriptor, name


@contextmanager
def named(folder: int, name: str) -> Iterator[int | None]:
    """Give a descriptor (O_PATH) of what has `name` in a directory, be it a link; else None."""
    try:
        descriptor = os.open(name, _NODE, dir_fd=folder)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def content(descriptor: int, place: str) -> Iterator[IO[bytes]]:
    """Give the content of the regular file that a descriptor (O_PATH) stands for."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        # A pipe would be waited for, a device might do anything.
        raise OSError(errno.EINVAL, "is not a regular file", place)
    with open(own_path(descriptor), "rb") as stream:
        yield stream


@contextmanager
def blaming(path: str) -> Iterator[None]:
    """Make errors within speak of `path`, not of the descriptor or the name that stands for it."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


def names(folder: int) -> list[str]:
    """Return what is in the directory that a descriptor (O_PATH) stands for, sorted."""
    return sorted(os.listdir(own_path(folder)))


def own_path(descriptor: int) -> str:
    """Return a path that leads to what a descriptor stands for, wherever its names lead now."""
    return f"/proc/self/fd/{descriptor}"


def is_roots(folder: int) -> bool:
    """Tell whether root alone can change what is in a directory."""
    if os.fstatvfs(folder).f_flag & os.ST_RDONLY:
        return True
    status = os.fstat(folder)
    if status.st_uid != 0 or status.st_mode & stat.S_IWOTH:
        return False
    return status.st_gid == 0 or not status.st_mode & stat.S_IWGRP


def _walk(path: str, start: int | None, *, make: bool) -> int:
    todo = _parts(path)
    here = _root() if start is None else os.dup(start)
    links = 0
    try:
        while todo:
            name = todo.pop()
            step = _step(here, name, make=make)
            if not stat.S_ISLNK(os.fstat(step).st_mode):
                os.close(here)
                here = step
                continue
            links += 1
            try:
                target = _target(here, step, path, links)
            finally:
                os.close(step)
            if target.startswith("/"):
                os.close(here)
                here = _root()
            todo += _parts(target)
    except OSError as error:
        os.close(here)
        if error.filename is not None:
            error.filename = path
        raise
    return here


def _step(here: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, _NODE, dir_fd=here)
    except FileNotFoundError:
        if not make:
            raise
    os.mkdir(name, 0o755, dir_fd=here)
    return os.open(name, _NODE, dir_fd=here)


def _target(here: int, link: int, path: str, links: int) -> str:
    """Return what a link holds; raise what is wrong with it if it is not to be followed."""
    if links > _LINKS:
        raise OSError(errno.ELOOP, "leads through links without end", path)
    if os.fstat(link).st_uid != 0 or not is_roots(here):
        message = "leads through a link that another than root may have made"
        raise ForeignLinkError(errno.ELOOP, message, path)
    return os.readlink("", dir_fd=link)


def _parts(path: str) -> list[str]:
    """Return the names of a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _root() -> int:
    return os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
