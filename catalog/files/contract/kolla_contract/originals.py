"""The files that an image had where config.json put others: kept, and put back when asked for.

Kept as `files/PATH` below a folder that root alone can enter; `index.json` tells of every path
that was ever written whether there was an original.
"""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Literal

from kolla_contract import paths
from kolla_contract.faults import ContractError, Fault
from kolla_contract.plan import Plan, Properties
from kolla_contract.writing import remove_file, strangers, write_file

FOLDER = "/var/lib/kolla/originals"

_INDEX = f"{FOLDER}/index.json"

Index = Mapping[str, Literal["kept", "none"]]


def read_index() -> Index:
    """Return of which paths there was an original; of none before the first run."""
    try:
        with paths.at(_INDEX) as descriptor, paths.content(descriptor, _INDEX) as stream:
            index: Index = json.load(stream)
            return index
    except FileNotFoundError:
        return {}
    except ValueError:
        raise ContractError(Fault(_INDEX, "is damaged: remove it")) from None


def keep(plan: Plan, index: Index) -> Index:
    """Keep the originals of all files that the plan writes or removes, and return the index of all.

    A path that is in `index` holds what an earlier run wrote, and is no original.
    """
    files = [target.path for target in plan.targets if target.source is not None]
    gone = [path for stranger in strangers(plan) for path in _files(stranger)]
    new: dict[str, Literal["kept", "none"]] = {}
    for path in (*files, *gone):
        if path not in index and path not in new:
            new[path] = "kept" if _keep(path) else "none"
    return _write_index({**index, **new}) if new else index


def unwanted(plan: Plan, index: Index) -> list[str]:
    """Return the paths that an earlier run has written or removed, and that the plan leaves."""
    targets = {target.path for target in plan.targets}
    return [path for path in sorted(index) if path not in targets and not _is_exact(path, plan)]


def restore(unwanted: Iterable[str], index: Index) -> None:
    """Bring `unwanted` paths to what they were, and forget them."""
    gone = set(unwanted)
    for path in sorted(gone):
        # Where the service has made a directory by now, that stays.
        with suppress(IsADirectoryError):
            if index[path] == "none":
                remove_file(path)
            else:
                _bring_back(path)
    if gone:
        _write_index({path: kept for path, kept in index.items() if path not in gone})


def _bring_back(path: str) -> None:
    kept = _kept(path)
    with paths.at(kept) as descriptor, paths.content(descriptor, kept) as stream:
        write_file(path, stream, _properties(descriptor))
    remove_file(kept)


def _is_exact(path: str, plan: Plan) -> bool:
    """Tell whether `path` must stay away, since a directory above it holds only what is planned."""
    folder = path
    while folder:
        folder, _, name = folder.rpartition("/")
        if name not in plan.exact.get(folder or "/", {name}):
            return True
    return False


def _keep(path: str) -> bool:
    """Keep the file at `path`, if it is one; what else may be there is not an image's to lose."""
    try:
        with paths.parent(path) as (folder, name), paths.named(folder, name) as descriptor:
            if descriptor is None or not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return False
            with paths.at(FOLDER, make=True) as own:
                os.chmod(paths.own_path(own), 0o700)
            with paths.content(descriptor, path) as stream:
                write_file(_kept(path), stream, _properties(descriptor))
    except FileNotFoundError:
        return False
    return True


def _files(path: str) -> Iterator[str]:
    """Yield `path`, or if it is a directory all paths of what is in it and is none."""
    with paths.parent(path) as (folder, name), paths.named(folder, name) as descriptor:
        if descriptor is None or not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            yield path
            return
        below = paths.names(descriptor)
    for name in below:
        yield from _files(f"{path}/{name}")


def _kept(path: str) -> str:
    return f"{FOLDER}/files{path}"


def _properties(descriptor: int) -> Properties:
    status = os.fstat(descriptor)
    return Properties(uid=status.st_uid, gid=status.st_gid, mode=stat.S_IMODE(status.st_mode))


def _write_index(index: Index) -> Index:
    text = json.dumps(index, indent=1, sort_keys=True)
    write_file(_INDEX, io.BytesIO(text.encode()), Properties(uid=0, gid=0, mode=0o600))
    return index
