"""Many changes of files told in few lines: a sum for each directory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamina.diff.files import FileChange, Move


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderChange:
    """How many files changed in a directory and below it, as far as no other one has them."""

    path: str  # without the slash at the beginning
    counts: Mapping[Move, int]
    growth: int  # bytes


def by_folder(changes: Sequence[FileChange], *, limit: int) -> tuple[FolderChange, ...]:
    """Return the sums of the directories that the changes lie in, at most `limit`, by path.

    Paths are cut to as many names as the limit allows, all to the same number.
    """
    depth = max((change.path.count("/") for change in changes), default=0)
    while len(folders := _folders(changes, depth)) > limit and depth:
        depth -= 1
    return tuple(
        FolderChange(
            path=path,
            counts=Counter(change.move for change in inside),
            growth=sum(change.growth for change in inside),
        )
        for path, inside in sorted(folders.items())
    )


def _folders(changes: Sequence[FileChange], depth: int) -> Mapping[str, Sequence[FileChange]]:
    folders: dict[str, list[FileChange]] = defaultdict(list)
    for change in changes:
        *names, _ = change.path.split("/")
        folders["/".join(names[:depth])].append(change)
    return folders
