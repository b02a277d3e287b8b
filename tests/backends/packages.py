"""Packages for tests, written entry by entry, so that what is wrong in them is wrong on purpose."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LONG_AGO = 1_600_000_000

COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".xz": lzma.compress,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry of a tarball."""

    path: str
    type: bytes = tarfile.REGTYPE
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    user: str = "root"
    group: str = "root"
    mtime: int = LONG_AGO
    target: str = ""
    device: tuple[int, int] = (0, 0)


def folder(path: str, mode: int = 0o755, *, uid: int = 0, gid: int = 0) -> Item:
    return Item(path=path, type=tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid, user="", group="")


def file(path: str, content: bytes = b"content\n", mode: int = 0o644) -> Item:
    return Item(path=path, content=content, mode=mode)


def link(path: str, target: str) -> Item:
    return Item(path=path, type=tarfile.SYMTYPE, target=target, mode=0o777)


def hard_link(path: str, target: str) -> Item:
    return Item(path=path, type=tarfile.LNKTYPE, target=target)


def tarball(
    items: Iterable[Item],
    form: int = tarfile.GNU_FORMAT,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a tarball; `headers` are those of all its entries, in the form of POSIX."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers=headers) as tar:
        for item in items:
            info = tarfile.TarInfo(item.path)
            info.type = item.type
            info.size = len(item.content)
            info.mode, info.mtime = item.mode, item.mtime
            info.uid, info.gid, info.uname, info.gname = item.uid, item.gid, item.user, item.group
            info.linkname = item.target
            info.devmajor, info.devminor = item.device
            tar.addfile(info, io.BytesIO(item.content))
    return buffer.getvalue()


def control_tarball(
    name: str = "sample",
    *,
    version: str = "1.0",
    architecture: str = "all",
    conffiles: Iterable[str] = (),
    scripts: Mapping[str, str] | None = None,
    members: Iterable[Item] = (),
    fields: str = "",
) -> bytes:
    """Return a control tarball; `fields` end the control file, `members` are further entries."""
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        f"Maintainer: Nobody <nobody@example.com>\nDescription: a package of a test\n{fields}"
    )
    items = [folder("./"), file("./control", control.encode())]
    if lines := "".join(f"{path}\n" for path in conffiles):
        items.append(file("./conffiles", lines.encode()))
    items += [file(f"./{script}", text.encode(), 0o755) for script, text in (scripts or {}).items()]
    return tarball([*items, *members])


def archive(members: Sequence[tuple[str, bytes]]) -> bytes:
    """Return an ar archive."""
    blocks = [b"!<arch>\n"]
    for name, content in members:
        blocks.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        blocks.append(content + b"\n" * (len(content) % 2))
    return b"".join(blocks)


def write_package(
    path: Path, control: bytes, data: bytes, *, compression: str = ".xz", level: str = ".gz"
) -> Path:
    """Write a package of two tarballs; `level` is how the control tarball is compressed."""
    members = [
        ("debian-binary", b"2.0\n"),
        (f"control.tar{level}", COMPRESSIONS[level](control)),
        (f"data.tar{compression}", COMPRESSIONS[compression](data)),
    ]
    path.write_bytes(archive(members))
    return path


def sample(path: Path, items: Iterable[Item], *, conffiles: Iterable[str] = ()) -> Path:
    """Write the package `sample` with these entries."""
    return write_package(path, control_tarball(conffiles=conffiles), tarball(items))


def read_archive(path: Path) -> Sequence[tuple[str, bytes]]:
    """Return the members of an ar archive."""
    content = path.read_bytes()
    at, members = 8, []
    while at < len(content):
        name, size = content[at : at + 16].decode().strip(), int(content[at + 48 : at + 58])
        members.append((name, content[at + 60 : at + 60 + size]))
        at += 60 + size + size % 2
    return members


def listing(package: Path) -> Sequence[tuple[str, ...]]:
    """Return what dpkg-deb says of the package's entries, sizes aside."""
    lines = subprocess.run(
        ["dpkg-deb", "--contents", str(package)],
        check=True,
        capture_output=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"},
    ).stdout.split(b"\n")
    parts = [line.decode("latin-1").split(maxsplit=5) for line in lines if line]
    return [(mode, owner, *rest) for mode, owner, _size, *rest in parts]
