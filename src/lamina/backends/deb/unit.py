"""Making a unit of a package file: its tree, its husk and its facts, in one pass."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from debian.deb822 import Deb822

from lamina.backends.deb.archive import CHUNK, Control, Decompressed, Package
from lamina.backends.deb.husk import HuskWriter
from lamina.backends.deb.tarball import TarEntry, padded, read_entries
from lamina.engine.unit import FACTS, HUSK, TREE, Directory, UnitFacts
from lamina.errors import BuildError

# Debian 12 and later: these are links into /usr, which a tree of its own would hide.
MERGED = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32"})
# Ids below are the same in every Debian system (base-passwd); others dpkg finds by name.
FIRST_DYNAMIC_ID = 100

REGULAR, HARDLINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = (
    b"0", b"1", b"2", b"3", b"4", b"5", b"6",
)  # fmt: skip


def make_unit(package: Path, folder: Path) -> UnitFacts:
    """Unpack `package` into the new, empty `folder` and return the unit's facts.

    Raises `BuildError` for a package that is damaged or would write outside its tree.
    """
    source = Package(package)
    control = source.control()
    tree = _Tree(folder / TREE, frozenset(control.conffiles))
    try:
        with HuskWriter(folder / HUSK, control) as husk:
            data = source.data()
            for entry in read_entries(data):
                tree.add(entry, data, husk)
            epoch = max([tree.newest, husk.newest])
    except (ValueError, EOFError) as error:
        raise BuildError.one(
            f"the package cannot be unpacked: {error}",
            place=package.name,
            remedy="the package is damaged or hostile; rebuild it with dpkg-deb",
        ) from error
    tree.finish()
    fields = Deb822(control.files.get("control", b"").decode())
    facts = UnitFacts(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        epoch=epoch,
        size=tree.size,
        conffiles=control.conffiles,
        files=tuple(sorted(tree.files)),
        directories=tuple(sorted(tree.directories.values())),
        links=tuple(sorted(tree.links)),
        diverts=_diverts(control),
        real=tree.real,
    )
    (folder / FACTS).write_text(facts.to_json())
    return facts


def tree_path(name: str) -> str:
    """Return where an entry lies in a tree, relative to it; empty for the root.

    Raises `ValueError` for a name that leaves the root.
    """
    path = name.removeprefix(".").strip("/")
    if name.startswith("/") or "\0" in name:
        raise ValueError(f"a path that is not relative: {name!r}")
    if not path:
        return ""
    parts = path.split("/")
    if ".." in parts or "." in parts or "" in parts:
        raise ValueError(f"a path that leaves the root: {name!r}")
    return path


def _diverts(control: Control) -> bool:
    return any(b"dpkg-divert" in control.files.get(s, b"") for s in ("preinst", "postinst"))


class _Tree:
    """The files of one package on their way to disk, never outside `root`."""

    def __init__(self, root: Path, conffiles: frozenset[str]) -> None:
        self.root = str(root)
        self.files: set[str] = set()
        self.links: set[str] = set()
        self.directories: dict[str, Directory] = {}
        self.size = 0
        self.newest = 0
        self.real = ""
        self._conffiles = conffiles
        self._times: list[tuple[str, int]] = []
        self._made = {""}
        os.mkdir(self.root, 0o755)  # noqa: PTH102

    def add(self, entry: TarEntry, data: Decompressed, husk: HuskWriter) -> None:
        """Write one entry to the tree and to the husk."""
        path = tree_path(entry.name)
        self.newest = max(self.newest, entry.mtime)
        if max(entry.uid, entry.gid) >= FIRST_DYNAMIC_ID or (
            # dpkg goes by the name first, and a name with root's id is not root's.
            entry.uid == 0 and entry.user not in ("root", "")
        ):
            self.real = f"{path} belongs to a user or group that differs between systems"
        if path.partition("/")[0] in MERGED and entry.type != SYMLINK:
            self.real = f"{path} lies below a link into /usr"
        if entry.type == REGULAR and f"/{path}" in self._conffiles:
            husk.add(entry, data.read(padded(entry.size)))
            return
        husk.add(entry, b"")
        if path:
            self._make(path, entry, data)

    def finish(self) -> None:
        """Set the directories' times, which their contents have moved."""
        for path, mtime in reversed(self._times):
            os.utime(path, (mtime, mtime))

    def _make(self, path: str, entry: TarEntry, data: Decompressed) -> None:
        place = f"{self.root}/{path}"
        self._enter(path.rpartition("/")[0])
        if entry.type == DIRECTORY:
            self._directory(path, entry)
            return
        if path in self.files or path in self._made:
            raise ValueError(f"{path} comes twice")
        match entry.type:
            case b"0":
                self._regular(place, entry, data)
            case b"1":
                source = tree_path(entry.target)
                if source not in self.files or source in self.links:
                    raise ValueError(f"{path} is a hard link to {source}, which is not there")
                os.link(f"{self.root}/{source}", place, follow_symlinks=False)
            case b"2":
                os.symlink(entry.target, place)  # noqa: PTH211
                self.links.add(path)
                os.lchown(place, entry.uid, entry.gid)
                os.utime(place, (entry.mtime, entry.mtime), follow_symlinks=False)
            case _:
                self._node(place, entry)
        self.files.add(path)

    def _enter(self, folder: str) -> None:
        """Make sure that `folder` is a directory of this tree, never a link to elsewhere."""
        if folder in self._made:
            return
        if folder in self.files:
            raise ValueError(f"{folder} is a file or a link, and something lies below it")
        self._enter(folder.rpartition("/")[0])
        os.mkdir(f"{self.root}/{folder}", 0o755)  # noqa: PTH102
        self._made.add(folder)

    def _directory(self, path: str, entry: TarEntry) -> None:
        place = f"{self.root}/{path}"
        self._enter(path)
        os.chown(place, entry.uid, entry.gid)
        os.chmod(place, entry.mode)  # noqa: PTH101
        self._times.append((place, entry.mtime))
        self.directories[path] = Directory(path, entry.mode, entry.uid, entry.gid)

    def _regular(self, place: str, entry: TarEntry, data: Decompressed) -> None:
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            left = entry.size
            while left:
                chunk = data.read(min(left, CHUNK))
                if not chunk:
                    raise ValueError("the data tarball ends too early")
                left -= len(chunk)
                while chunk:
                    chunk = chunk[os.write(target, chunk) :]
            data.read(padded(entry.size) - entry.size)
            if entry.uid or entry.gid:
                os.fchown(target, entry.uid, entry.gid)
            os.fchmod(target, entry.mode)
            os.utime(target, (entry.mtime, entry.mtime))
        finally:
            os.close(target)
        self.size += entry.size

    def _node(self, place: str, entry: TarEntry) -> None:
        kind = {CHARACTER: stat.S_IFCHR, BLOCK_DEVICE: stat.S_IFBLK, FIFO: stat.S_IFIFO}[entry.type]
        os.mknod(place, kind | 0o600, os.makedev(*entry.device))
        os.chown(place, entry.uid, entry.gid)
        os.chmod(place, entry.mode)  # noqa: PTH101
        os.utime(place, (entry.mtime, entry.mtime))
