"""What config.json speaks of, looked up in the container: sources, users and groups."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import stat
from collections.abc import Iterator

from kolla_contract import paths
from kolla_contract.config import SIZE_LIMIT, Owner
from kolla_contract.faults import ContractError, Fault
from kolla_contract.plan import Found, Node, Properties

CONFIG = "/var/lib/kolla/config_files/config.json"


def read_config() -> bytes:
    """Return the content of config.json, which is nowhere else."""
    try:
        with paths.at(CONFIG) as descriptor, paths.content(descriptor, CONFIG) as stream:
            return stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise ContractError(Fault(CONFIG, error.strerror or str(error))) from None


def find(place: str, source: str) -> tuple[Found, ...]:
    """Return all that the glob `source` of the entry at `place` matches.

    Raises `ContractError` for a match that is neither file nor directory, leads through links
    without end, or through one that another than root may have made.
    """
    found = []
    for path in sorted(glob.glob(source)):
        try:
            with paths.at(path) as descriptor:
                found.append(Found(path=path, nodes=tuple(_nodes(descriptor, "", ()))))
        except OSError as error:
            message = f"'{error.filename or path}': {error.strerror}"
            raise ContractError(Fault(f"{place}.source", message)) from None
    return tuple(found)


def ids_of(owner: Owner) -> tuple[int, int] | None:
    """Return the ids of a user and its group, or None if there is no such user or group."""
    try:
        user = pwd.getpwnam(owner.user)
        group = user.pw_gid if owner.group is None else grp.getgrnam(owner.group).gr_gid
    except KeyError:
        return None
    return user.pw_uid, group


def _nodes(descriptor: int, path: str, above: tuple[tuple[int, int], ...]) -> Iterator[Node]:
    """Yield what a descriptor stands for, and what is below it; `above` are its directories."""
    status = os.fstat(descriptor)
    directory = stat.S_ISDIR(status.st_mode)
    if not directory and not stat.S_ISREG(status.st_mode):
        raise OSError(0, "is neither a file nor a directory", path or None)
    yield Node(
        path=path,
        directory=directory,
        properties=Properties(
            uid=status.st_uid, gid=status.st_gid, mode=stat.S_IMODE(status.st_mode)
        ),
    )
    if not directory:
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        raise OSError(0, "a link in it leads back to it", path)
    for name in paths.names(descriptor):
        with paths.at(name, start=descriptor) as child:
            yield from _nodes(child, f"{path}/{name}".lstrip("/"), (*above, identity))
