"""Releases for tests, small and shaped like those that publishers make, and units of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.backends.packages import LONG_AGO, Item, file, folder, hard_link, link, tarball

from lamina.backends.artifact.unit import make_artifact
from lamina.engine.unit import TREE, UnitFacts
from lamina.model.artifact import Placement, Recipe
from lamina.model.digest import Digest
from lamina.model.lock import UnitRef, artifact_name

if TYPE_CHECKING:
    from typing_extensions import Buffer

PROGRAM = b"#!/bin/sh\necho %s\n"

PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": lambda content: gzip.compress(content, mtime=0),
    ".tar.xz": lzma.compress,
    ".tar.bz2": bz2.compress,
}


def program(path: str, text: str = "") -> Item:
    return file(path, PROGRAM % (text or path.rpartition("/")[2]).encode(), 0o755)


def exporter(name: str = "memcached_exporter", version: str = "0.15.5") -> list[Item]:
    """Return what promu makes of an exporter: one folder with program, licence and notice."""
    top = f"{name}-{version}.linux-amd64"
    return [
        replace(folder(f"{top}/"), uid=1001, gid=1002, user="runner", group="docker"),
        replace(file(f"{top}/LICENSE"), mode=0o664, uid=1001, gid=1002),
        replace(program(f"{top}/{name}"), uid=1001, gid=1002),
        file(f"{top}/NOTICE"),
    ]


def prometheus(version: str = "3.5.4") -> list[Item]:
    """Return Prometheus: programs, and folders of what they need."""
    top = f"prometheus-{version}.linux-amd64"
    return [
        folder(f"{top}/"),
        program(f"{top}/prometheus"),
        program(f"{top}/promtool"),
        file(f"{top}/prometheus.yml", b"global: {}\n"),
        folder(f"{top}/consoles/"),
        file(f"{top}/consoles/node.html"),
        folder(f"{top}/console_libraries/"),
        file(f"{top}/console_libraries/menu.lib"),
    ]


def kafka(version: str = "4.0.0") -> list[Item]:
    """Return Kafka as its build makes it: scripts and jars, no members for folders, links."""
    top = f"kafka_2.13-{version}"
    return [
        file(f"{top}/LICENSE"),
        program(f"{top}/bin/kafka-run-class.sh"),
        program(f"{top}/bin/kafka-server-start.sh"),
        program(f"{top}/bin/windows/kafka-server-start.bat"),
        file(f"{top}/config/server.properties", b"process.roles=broker\n"),
        file(f"{top}/libs/kafka_2.13-{version}.jar", b"PK\5\6" + bytes(18)),
        link(f"{top}/libs/kafka.jar", f"kafka_2.13-{version}.jar"),
        link(f"{top}/bin/libs", "../libs"),
        file(f"{top}/site-docs/docs.tgz", bytes(5000)),
    ]


def grafana(version: str = "12.3.0") -> list[Item]:
    """Return Grafana: everything behind `./`-less names, with deep folders and a hard link."""
    top = f"grafana-{version}"
    return [
        program(f"{top}/bin/grafana"),
        hard_link(f"{top}/bin/grafana-server", f"{top}/bin/grafana"),
        file(f"{top}/conf/defaults.ini"),
        file(f"{top}/public/build/static/{'x' * 90}/{'y' * 90}.js"),
        file(f"{top}/public/img/größe.svg"),
    ]


def lego() -> list[Item]:
    """Return lego as goreleaser makes it: no folder at all."""
    return [file("CHANGELOG.md"), file("LICENSE"), program("lego")]


def zipped(items: Iterable[Item], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive as Info-ZIP makes it on Unix."""
    buffer = io.BytesIO()
    types = {b"0": stat.S_IFREG, b"5": stat.S_IFDIR, b"2": stat.S_IFLNK}
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for item in items:
            info = zipfile.ZipInfo(item.path, time.gmtime(item.mtime)[:6])
            info.create_system = 3
            info.external_attr = (types[item.type] | item.mode) << 16
            info.compress_type = compression
            archive.writestr(info, item.target.encode() or item.content)
    return buffer.getvalue()


class _Pipe(io.RawIOBase):
    """Takes what is written and cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self.content += data
        return memoryview(data).nbytes


def streamed(items: Iterable[Item], *, comment: bytes = b"") -> bytes:
    """Return a zip archive as programs write it to a pipe: sizes behind the members."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for item in items:
            if item.type == b"0":
                archive.writestr(item.path, item.content)
    return bytes(pipe.content)


def packed(items: Iterable[Item], ending: str) -> bytes:
    """Return an archive of the form that the ending tells."""
    return zipped(items) if ending == ".zip" else PACKED[ending](tarball(items))


def line(source: str, to: str, mode: int | None = None, *without: str, uid: int = 0) -> Placement:
    return Placement(source=source, to=to, mode=mode, uid=uid, gid=uid, without=without)


def a_ref(
    content: bytes, path: str, *install: Placement, date: int | None = None, name: str = "sample"
) -> UnitRef:
    return UnitRef(
        name=artifact_name(name),
        version="1.0",
        architecture="amd64",
        repository="releases",
        path=path,
        size=len(content),
        digest=Digest.of(content),
        pinned="catalogue",
        recipe=Recipe(install=install, date=date),
    )


def made(
    content: bytes, path: str, place: Path, *install: Placement, date: int | None = None
) -> tuple[Path, UnitFacts]:
    """Return the tree and the facts of a unit that is made in the folder `place`."""
    place.mkdir(parents=True, exist_ok=True)
    download = place / "download"
    download.write_bytes(content)
    folder = place / "unit"
    folder.mkdir()
    facts = make_artifact(download, folder, a_ref(content, path, *install, date=date))
    return folder / TREE, facts


def dump(tree: Path) -> list[str]:
    """Return all there is in a tree: type and mode, owner, age, path, and content or target."""
    lines = []
    for path in sorted(tree.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            content = f" -> {path.readlink()}"
        else:
            content = f" = {path.read_bytes()!r}" if path.is_file() else "/"
        age = int(status.st_mtime) - LONG_AGO
        who = f"{status.st_uid}:{status.st_gid}"
        mode = stat.filemode(status.st_mode)
        lines.append(f"{mode} {who} {age:+} {path.relative_to(tree)}{content}")
    return lines
