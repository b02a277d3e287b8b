"""Making a unit of a package file: its tree, its husk and its facts, in one pass."""

from __future__ import annotations

import os
from pathlib import Path

from lamina.backends.deb.archive import Control, Package, faults_of
from lamina.backends.deb.database import INFO, Triggers, info_files, instance_of, record, why_husk
from lamina.backends.deb.husk import HuskWriter
from lamina.backends.deb.library import foreseen_library
from lamina.backends.deb.python_calls import foreseen_calls
from lamina.backends.deb.tarball import Readable, TarEntry, padded, read_entries
from lamina.engine.merged import LINKS, link_above, merged
from lamina.engine.unit import HUSK, RECORD, TREE, Directory, UnitFacts
from lamina.model.digest import Digest
from lamina.oci.disk import write_all

# Ids below are the same in every Debian system (base-passwd); others dpkg finds by name.
FIRST_DYNAMIC_ID = 100

CHUNK = 1 << 20
# Linux takes 4096 bytes; the rest is for the place of the tree.
PATH_LIMIT = 3072
NAME_LIMIT = 255

REGULAR, HARDLINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"


def make_unit(package: Path, folder: Path, digest: Digest) -> UnitFacts:
    """Unpack `package` into the new, empty `folder` and return the unit's facts.

    `digest` is the package's. The facts are not written. Raises `BuildError` for a package that
    is damaged or would write outside its tree.
    """
    with faults_of(package.name), Package(package) as source:
        control = source.control()
        name, version, architecture = _identity(control)
        with faults_of(f"{name}_{version}_{architecture}"):
            tree = _Tree(folder / TREE, frozenset(control.conffiles))
            data = source.data()
            with HuskWriter(folder / HUSK, control) as husk:
                for entry in read_entries(data):
                    tree.add(entry, data, husk)
                # The sum over all that was compressed stands at its end.
                while data.read(CHUNK):
                    pass
            if not tree.real:
                # dpkg makes symbolic links after all else.
                for file in info_files(control, (*tree.listed, *tree.listed_links)):
                    tree.add_info(file.name, file.content, file.mode)
            tree.finish()
            triggers = Triggers.parse(control.text("triggers"))
            (folder / RECORD).write_text(record(control))
    return UnitFacts(
        digest=digest,
        name=name,
        instance=instance_of(control),
        version=version,
        architecture=architecture,
        epoch=tree.newest,
        size=tree.size,
        conffiles=control.conffiles,
        files=tuple(sorted(tree.files)),
        directories=tuple(sorted(tree.directories.values())),
        links=tuple(sorted(tree.links)),
        listed=tree.names if tree.through_links else (),
        interests=triggers.interests,
        activates=triggers.activates,
        notifies=triggers.notifies,
        compiles=_foreseen_calls(name, control, tree),
        library=foreseen_library(control.text("postinst")),
        real=tree.real,
        husk=why_husk(control),
        asks="templates" in control.files,
    )


def _foreseen_calls(name: str, control: Control, tree: _Tree) -> tuple[str, ...]:
    if any(path.endswith(".py") and link_above(path) for path in tree.names):
        return ()  # py3compile goes by dpkg's names, and the modules lie elsewhere
    aside = {path.lstrip("/") for path in control.conffiles}
    return foreseen_calls(name, control.text("postinst"), tree.files | aside, tree.links | aside)


def tree_path(name: str) -> str:
    """Return the path that an entry names, relative to the root; empty for the root.

    Raises `ValueError` for a name that leaves the root, or that no file system takes.
    """
    path = name.removeprefix("./").rstrip("/") if name != "." else ""
    if name.startswith("/") or "\0" in name or "\n" in name or not name:
        raise ValueError(f"a path that is not relative or holds odd characters: {name!r}")
    if not path:
        return ""
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError(f"a path that leaves the root: {name!r}")
    if len(os.fsencode(path)) > PATH_LIMIT or max(len(os.fsencode(p)) for p in parts) > NAME_LIMIT:
        raise ValueError(f"a path that is too long: '{name[:80]}...'")
    return path


def _identity(control: Control) -> tuple[str, str, str]:
    fields = control.fields()
    try:
        return fields["Package"], fields["Version"], fields["Architecture"]
    except KeyError as error:
        raise ValueError(f"its control file has no field {error.args[0]}") from None


class _Tree:
    """The files of one package on their way to disk, never outside `root`."""

    def __init__(self, root: Path, conffiles: frozenset[str]) -> None:
        self.root = str(root)
        self.files: set[str] = set()
        self.links: set[str] = set()
        self.directories: dict[str, Directory] = {}
        self.listed: list[str] = []  # every entry but symbolic links, as dpkg lists it
        self.listed_links: list[str] = []
        self.through_links = False  # whether one of them leads through a link into /usr
        self.size = 0
        self.newest = 0
        self.real = ""
        self._conffiles = conffiles
        self._aside: set[str] = set()  # configuration files, which only the husk holds
        self._names: dict[str, str] = {}  # of what was added, as the package names it
        self._times: list[tuple[str, int]] = []
        self._made = {""}
        _make_directory(self.root)

    @property
    def names(self) -> tuple[str, ...]:
        """All entries but the root as dpkg lists them, relative to it and sorted."""
        listed = (name[1:] for name in (*self.listed, *self.listed_links))
        return tuple(sorted(name for name in listed if name != "."))

    def add(self, entry: TarEntry, data: Readable, husk: HuskWriter) -> None:
        """Write one entry to the tree and to the husk."""
        name = tree_path(entry.name)
        listed = self.listed_links if entry.type == SYMLINK else self.listed
        listed.append(f"/{name or '.'}")
        self.newest = max(self.newest, entry.mtime)
        path = _place(name, entry.type)
        self.through_links = self.through_links or path != name
        self.real = self.real or self._reason(name, entry)
        if entry.type == DIRECTORY:
            husk.add(entry, b"")
            self._enter(path)
            # Of a directory that is there dpkg changes nothing, be it the one that a link leads to.
            if name and name not in LINKS and self._names.setdefault(path, name) == name:
                self._directory(path, entry)
        elif (twin := self._names.setdefault(path, name)) != name:
            self.real = self.real or f"{twin} and {name} are one path where /usr is merged"
            husk.add(entry, b"")
            _content(entry, data)
        else:
            self._enter(path.rpartition("/")[0])
            if path in self.files or path in self._aside or path in self._made:
                raise ValueError(f"{path or 'the root'} is in it twice")
            if entry.type == REGULAR and f"/{name}" in self._conffiles:
                husk.add(entry, _content(entry, data))
                self._aside.add(path)
            else:
                husk.add(entry, b"")
                self._make(path, entry, data)
                self.files.add(path)

    def add_info(self, name: str, content: bytes, mode: int) -> None:
        """Write a file that dpkg's database keeps of the package."""
        path = f"{INFO}/{name}"
        self._enter(INFO)
        if path in self.files:
            raise ValueError(f"{path} is dpkg's own")
        place = f"{self.root}/{path}"
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            write_all(target, content)
            os.fchmod(target, mode)
            os.utime(target, (self.newest, self.newest))
        finally:
            os.close(target)
        self.files.add(path)
        self.size += len(content)

    def finish(self) -> None:
        """Set the directories' times, which their contents have moved."""
        for path in self._made:
            os.utime(f"{self.root}/{path}", (self.newest, self.newest))
        for path, mtime in self._times:
            os.utime(path, (mtime, mtime))

    def _reason(self, name: str, entry: TarEntry) -> str:
        """Return why dpkg must unpack the package itself because of this entry, or nothing."""
        if max(entry.uid, entry.gid) >= FIRST_DYNAMIC_ID or (
            # dpkg goes by the name first, and a name with root's id is not root's.
            (entry.uid == 0 and entry.user not in ("root", ""))
            or (entry.gid == 0 and entry.group not in ("root", ""))
        ):
            return f"{name} belongs to a user or group that differs between systems"
        if entry.type != REGULAR and f"/{name}" in self._conffiles:
            return f"the configuration file {name} is no plain file"
        if entry.type == HARDLINK and merged(tree_path(entry.target)) in self._aside:
            return f"{name} is another name of a configuration file"
        return ""

    def _make(self, path: str, entry: TarEntry, data: Readable) -> None:
        place = f"{self.root}/{path}"
        match entry.type:
            case b"0":
                self._regular(place, entry, data)
            case b"1":
                self._hard_link(path, merged(tree_path(entry.target)))
            case b"2":
                _symlink(place, entry)
                self.links.add(path)
            case b"6":
                _fifo(place, entry)
            case _:
                # In a tree it would open this machine's devices, or hide other packages' files.
                raise ValueError(f"{path} is a device, which Debian's policy (10.6) forbids")

    def _enter(self, folder: str) -> None:
        """Make sure that `folder` is a directory of this tree, never a link to elsewhere."""
        if folder in self._made:
            return
        if folder in self.files or folder in self._aside:
            raise ValueError(f"{folder} is a file or a link, and something lies below it")
        self._enter(folder.rpartition("/")[0])
        _make_directory(f"{self.root}/{folder}")
        self._made.add(folder)
        self.directories[folder] = Directory(folder, 0o755, 0, 0)

    def _directory(self, path: str, entry: TarEntry) -> None:
        place = f"{self.root}/{path}"
        self._enter(path)
        os.chown(place, entry.uid, entry.gid)
        os.chmod(place, entry.mode)  # noqa: PTH101
        self._times.append((place, entry.mtime))
        self.directories[path] = Directory(path, entry.mode, entry.uid, entry.gid)

    def _regular(self, place: str, entry: TarEntry, data: Readable) -> None:
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            left = entry.size
            while left:
                chunk = data.read(min(left, CHUNK))
                if not chunk:
                    raise ValueError("the tarball ends too early")
                left -= len(chunk)
                while chunk:
                    chunk = chunk[os.write(target, chunk) :]
            data.read(padded(entry.size) - entry.size)
            os.fchown(target, entry.uid, entry.gid)
            os.fchmod(target, entry.mode)
            os.utime(target, (entry.mtime, entry.mtime))
        finally:
            os.close(target)
        self.size += entry.size

    def _hard_link(self, path: str, source: str) -> None:
        if source in self._aside:
            return  # dpkg unpacks such a package itself
        if source not in self.files:
            raise ValueError(f"{path} is a hard link to {source}, which is not there")
        os.link(f"{self.root}/{source}", f"{self.root}/{path}", follow_symlinks=False)
        if source in self.links:
            self.links.add(path)


def _place(name: str, kind: bytes) -> str:
    """Return where an entry lies in a tree; for a directory in place of a link, what that means."""
    return f"usr/{name}" if kind == DIRECTORY and name in LINKS else merged(name)


def _content(entry: TarEntry, data: Readable) -> bytes:
    content = data.read(padded(entry.size))
    if len(content) < padded(entry.size):
        raise ValueError("the tarball ends too early")
    return content


def _make_directory(place: str) -> None:
    """Make a directory that is root's, whatever the umask and the folder that it lies in."""
    os.mkdir(place)  # noqa: PTH102
    os.chown(place, 0, 0)
    os.chmod(place, 0o755)  # noqa: PTH101, S103


def _symlink(place: str, entry: TarEntry) -> None:
    if not 0 < len(os.fsencode(entry.target)) < os.pathconf("/", "PC_PATH_MAX"):
        raise ValueError(f"{entry.name} is a link to nowhere, or too far")
    os.symlink(entry.target, place)  # noqa: PTH211
    os.lchown(place, entry.uid, entry.gid)
    os.utime(place, (entry.mtime, entry.mtime), follow_symlinks=False)


def _fifo(place: str, entry: TarEntry) -> None:
    os.mkfifo(place)
    os.chown(place, entry.uid, entry.gid)
    os.chmod(place, entry.mode)  # noqa: PTH101
    os.utime(place, (entry.mtime, entry.mtime))
