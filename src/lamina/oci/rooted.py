"""A folder in which paths are looked up without ever following a symbolic link."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class RootedFolder:
    """A folder, and below it the chain of folders that was looked up last, all held open.

    Names are resolved one by one from an open folder to the next (openat with O_NOFOLLOW), so
    that nothing a hostile archive has made, and no path in it, leads out of the root.
    """

    def __init__(self, root: Path) -> None:
        """Open the folder `root`."""
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        self._chain: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._cut(0)
        os.close(self._root)

    def folder(self, path: str, *, make: bool = False) -> int:
        """Return the open folder at `path`, valid until the next call.

        With `make`, missing folders are made. Raises `NotADirectoryError` when the path goes
        through anything but folders, symbolic links included, and `FileNotFoundError`.
        """
        names = path.split("/") if path else []
        same = 0
        for name, (known, _) in zip(names, self._chain, strict=False):
            if name != known:
                break
            same += 1
        self._cut(same)
        for name in names[same:]:
            self._chain.append((name, _opened(self._last, name, make=make)))
        return self._last

    @property
    def _last(self) -> int:
        return self._chain[-1][1] if self._chain else self._root

    def _cut(self, length: int) -> None:
        """Close what is beyond the first `length` folders of the chain."""
        while len(self._chain) > length:
            os.close(self._chain.pop()[1])


def _opened(parent: int, name: str, *, make: bool) -> int:
    """Open the folder `name` in the open folder `parent`."""
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not make:
            raise
    os.mkdir(name, 0o755, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)
