"""Directories and empty files that must be there, as `directories` and `files` have them.

What is there keeps its content, and gets the owner and the mode of its entry. A service's user may
have planted it: a link is followed only where root alone can have put it, and a file with another
name elsewhere is not given away.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from kolla_contract import paths
from kolla_contract.faults import Fault
from kolla_contract.plan import Made, Plan
from kolla_contract.writing import give

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def hindrances(plan: Plan) -> Iterator[Fault]:
    """Yield what keeps the plan from making what it has to make; nothing is changed."""
    comes = _directories(plan)
    for one in plan.made:
        try:
            why = _hindrance(one, comes)
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            yield Fault(f"{one.place}.path", f"'{one.path}': {why}")


def make(plan: Plan) -> None:
    """Make what is not there, and give all of it to its owner with its mode."""
    for one in plan.made:
        with paths.blaming(one.path):
            if one.directory:
                with paths.at(one.path, make=True) as descriptor:
                    give(descriptor, one.properties)
            else:
                _make_file(one)


def _hindrance(one: Made, comes: frozenset[str]) -> str:
    """Return what is in the way of `one`; `comes` are directories that there will be."""
    folder, _, _ = one.path.rpartition("/")
    try:
        with paths.parent(one.path) as (parent, name):
            if one.directory:
                return _no_directory(parent, name)
            with paths.named(parent, name) as descriptor:
                return "" if descriptor is None else _no_file(one, parent, descriptor)
    except FileNotFoundError:
        if one.directory or (folder or "/") in comes:
            return ""
        return "its directory is not there, and not in 'directories'"


def _no_directory(folder: int, name: str) -> str:
    with paths.named(folder, name) as descriptor:
        if descriptor is None:
            return ""
    with paths.at(name, start=folder) as leads_to:
        if not stat.S_ISDIR(os.fstat(leads_to).st_mode):
            return "something else is there, and no directory"
    return ""


def _no_file(one: Made, folder: int, descriptor: int) -> str:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return "something else is there, and no file"
    foreign = status.st_uid != one.properties.uid
    if status.st_nlink > 1 and foreign and not paths.is_roots(folder):
        return "it has another name, and may be another's file"
    return ""


def _make_file(one: Made) -> None:
    with paths.parent(one.path) as (folder, name):
        with suppress(FileExistsError):
            os.close(os.open(name, _NEW, 0o600, dir_fd=folder))
        with paths.named(folder, name) as descriptor:
            # Looked at again: since the check, its place may have got another file.
            if descriptor is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), one.path)
            why = _no_file(one, folder, descriptor)
            if why:
                raise OSError(errno.EEXIST, why, one.path)
            give(descriptor, one.properties)


def _directories(plan: Plan) -> frozenset[str]:
    """Return all directories that the plan makes, and those on the way to what it writes."""
    found = {one.path for one in plan.made if one.directory}
    found |= {target.path for target in plan.targets if target.source is None}
    for path in (*found, *(target.path for target in plan.targets)):
        while path != "/":
            path = path.rpartition("/")[0] or "/"
            found.add(path)
    return frozenset(found)
