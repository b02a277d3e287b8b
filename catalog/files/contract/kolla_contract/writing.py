"""Targets looked at, compared and written; every file aside first, and renamed when it is whole."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from kolla_contract import paths
from kolla_contract.faults import Fault
from kolla_contract.plan import Plan, Properties, Target

_CHUNK = 1 << 20  # bytes


def obstacles(plan: Plan) -> Iterator[Fault]:
    """Yield what is in the way of the targets; nothing is changed."""
    for target in plan.targets:
        try:
            with paths.parent(target.path) as (folder, name):
                yield from _obstacle(target, folder, name)
        except FileNotFoundError:
            continue  # the directories on the way will be made
        except OSError as error:
            yield Fault(f"{target.place}.dest", f"'{target.path}': {error.strerror}")


def write(target: Target) -> None:
    """Make the target what it is to be."""
    if target.source is None:
        with paths.at(target.path, make=True) as descriptor:
            give(descriptor, target.properties)
        return
    with paths.at(target.source) as source, paths.content(source, target.source) as stream:
        write_file(target.path, stream, target.properties)


def write_file(path: str, stream: IO[bytes], properties: Properties) -> None:
    """Put a file with this content in place of what is at `path`, a link included."""
    with paths.parent(path, make=True) as (folder, name):
        aside = f".kolla-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(aside, flags, 0o600, dir_fd=folder)
        try:
            with open(descriptor, "wb") as file:
                shutil.copyfileobj(stream, file, _CHUNK)
                file.flush()
                give(descriptor, properties)
            os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(aside, dir_fd=folder)
            raise


def give(descriptor: int, properties: Properties) -> None:
    """Give what a descriptor stands for to its owner, with its mode."""
    path = paths.own_path(descriptor)
    os.chown(path, properties.uid, properties.gid)
    os.chmod(path, properties.mode)  # after the owner, whose change takes set-id bits away


def strangers(plan: Plan) -> Iterator[str]:
    """Yield the paths of what stands in the plan's exact directories and must not."""
    for path, expected in plan.exact.items():
        with suppress(FileNotFoundError, NotADirectoryError), paths.at(path) as folder:
            yield from (
                f"{path.rstrip('/')}/{name}" for name in paths.names(folder) if name not in expected
            )


def remove_file(path: str) -> None:
    """Remove the file or the link at `path`; a directory raises `IsADirectoryError`."""
    with suppress(FileNotFoundError), paths.parent(path) as (folder, name):
        os.unlink(name, dir_fd=folder)


def remove(path: str) -> None:
    """Remove what is at `path`, with all below it; links are removed, not followed."""
    with suppress(FileNotFoundError), paths.parent(path) as (folder, name):
        with paths.named(folder, name) as descriptor:
            directory = descriptor is not None and _is_directory(descriptor)
        if directory:
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def differences(plan: Plan) -> Iterator[Fault]:
    """Yield every target that is not as it is to be, and every stranger."""
    for target in plan.targets:
        why = _difference(target)
        if why:
            yield Fault(target.path, why)
    for path in strangers(plan):
        yield Fault(path, "is not in the source of its directory")


def _obstacle(target: Target, folder: int, name: str) -> Iterator[Fault]:
    with paths.named(folder, name) as descriptor:
        if descriptor is None:
            return
        if target.source is not None:
            if _is_directory(descriptor):
                message = f"'{target.path}' is a directory: end it with '/' to copy into it"
                yield Fault(f"{target.place}.dest", message)
            return
        with paths.at(target.path) as leads_to:
            if not _is_directory(leads_to):
                message = f"'{target.path}' is in the way, and no directory"
                yield Fault(f"{target.place}.dest", message)


def _difference(target: Target) -> str:
    try:
        if target.source is None:
            with paths.at(target.path) as descriptor:
                return _other(descriptor, target)
        with paths.parent(target.path) as (folder, name), paths.named(folder, name) as descriptor:
            if descriptor is None:
                return "is missing"
            return _other(descriptor, target) or _other_content(descriptor, target)
    except (FileNotFoundError, NotADirectoryError, paths.ForeignLinkError):
        return "is missing"


def _other(descriptor: int, target: Target) -> str:
    status = os.fstat(descriptor)
    expected = stat.S_IFDIR if target.source is None else stat.S_IFREG
    if stat.S_IFMT(status.st_mode) != expected:
        return "is something else"
    wanted = target.properties
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        return f"is owned by {status.st_uid}:{status.st_gid}, not {wanted.uid}:{wanted.gid}"
    mode = stat.S_IMODE(status.st_mode)
    return "" if mode == wanted.mode else f"has the mode {mode:04o}, not {wanted.mode:04o}"


def _other_content(descriptor: int, target: Target) -> str:
    source = target.source or ""
    with (
        paths.content(descriptor, target.path) as one,
        paths.at(source) as node,
        paths.content(node, source) as other,
    ):
        while (chunk := one.read(_CHUNK)) == other.read(_CHUNK):
            if not chunk:
                return ""
    return f"has not the content of '{source}'"


def _is_directory(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)
