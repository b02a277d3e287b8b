"""Husks: the same package without the bulk of its files, for dpkg to install.

dpkg learns from a husk all that it learns from the package: the control data byte for byte, the
same list of entries in the same order. The files themselves come from the unit's tree.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from lamina.backends.deb.archive import Control
from lamina.backends.deb.tarball import BLOCK, TarEntry

_MAGIC = b"!<arch>\n"
_VERSION = b"2.0\n"


class HuskWriter:
    """A husk being written; a context manager that closes the archive."""

    def __init__(self, path: Path, control: Control) -> None:
        """Take the control tarball; the entries follow by `add`."""
        self._blocks: list[bytes] = []
        self._path = path
        self._control = control

    def add(self, entry: TarEntry, content: bytes) -> None:
        """Add an entry; `content` is what dpkg is to write, padded to blocks, or nothing."""
        self._blocks.append(entry.header_with_size(entry.size if content else 0))
        self._blocks.append(content)

    def __enter__(self) -> HuskWriter:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the archive, unless an error is on its way."""
        if error is not None:
            return
        data = b"".join(self._blocks) + bytes(2 * BLOCK)
        with self._path.open("xb") as husk:
            husk.write(_MAGIC)
            husk.write(_member("debian-binary", _VERSION))
            husk.write(_member(self._control.member, self._control.content))
            # Not compressed: it is read once for each image and seldom over a few kilobytes.
            husk.write(_member("data.tar", data))
        os.chmod(self._path, 0o644)  # noqa: PTH101


def _member(name: str, content: bytes) -> bytes:
    """Return an ar member (ar(5)): a header of 60 bytes, the content, padded to even."""
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)
