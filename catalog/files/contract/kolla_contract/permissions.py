"""Owners and modes of what is in a container already, as `permissions` of config.json has them.

What a service's user may have planted is left alone: links are not followed, and a file with
another name elsewhere is not given away.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from kolla_contract import paths
from kolla_contract.config import Permission
from kolla_contract.faults import Fault
from kolla_contract.plan import directory_mode

_DEPTH = 200  # directories below each other, each of which is held open


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An entry of `permissions`, and the ids of its owner."""

    permission: Permission
    ids: tuple[int, int] | None


def apply(grant: Grant) -> Iterator[Fault]:
    """Give all that the entry's glob matches its owner and mode; yield what was left alone.

    What it names but is not there is no fault.
    """
    for path in sorted(glob.glob(grant.permission.path)):
        try:
            with paths.at(path) as descriptor:
                # Where it lies itself: `path` may have come to it by a link.
                place = os.readlink(paths.own_path(descriptor))
                with paths.parent(place) as (folder, _):
                    yield from _apply(grant, descriptor, path, folder, 0)
        except (FileNotFoundError, paths.ForeignLinkError) as error:
            yield Fault(path, f"is left as it is: {error.strerror}")


def _apply(grant: Grant, descriptor: int, path: str, folder: int, depth: int) -> Iterator[Fault]:
    """Change what a descriptor stands for, and what is below it; `folder` is where it lies."""
    permission, ids = grant.permission, grant.ids
    status = os.fstat(descriptor)
    directory = stat.S_ISDIR(status.st_mode)
    if directory and permission.recurse:
        if depth == _DEPTH:
            yield Fault(path, f"is left as it is: more than {_DEPTH} directories below each other")
            return
        # What is in a directory comes before it: afterwards its new owner can change what is in it.
        for name in paths.names(descriptor):
            below = f"{path.rstrip('/')}/{name}"
            with paths.named(descriptor, name) as child:
                if child is not None and not stat.S_ISLNK(os.fstat(child).st_mode):
                    yield from _apply(grant, child, below, descriptor, depth + 1)
    if any(pattern.search(path) for pattern in permission.exclude):
        return
    foreign = ids is None or status.st_uid != ids[0]
    if not directory and status.st_nlink > 1 and foreign and not paths.is_roots(folder):
        yield Fault(path, "is left as it is: it has another name, and may be another's file")
        return
    own = paths.own_path(descriptor)
    with paths.blaming(path):
        if ids is not None:
            os.chown(own, *ids)
        if permission.mode is not None:
            os.chmod(own, directory_mode(permission.mode) if directory else permission.mode)
