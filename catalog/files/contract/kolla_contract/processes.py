"""Processes by name, and the sockets that they have open, as /proc tells them.

Source: proc(5), proc_pid_comm(5), proc_pid_net(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_COMM = 15  # bytes that the kernel keeps of a name
_ESTABLISHED, _CLOSE, _LISTEN = "01", "07", "0A"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process, and the sockets that it has open."""

    pid: int
    sockets: frozenset[int]  # inodes
    readable: bool  # whether the sockets may be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One end of a connection of TCP or of UDP, or a port that waits for them."""

    inode: int
    local: int  # port
    remote: int  # port, 0 for none
    listens: bool
    established: bool


def processes(name: str) -> Iterator[Process]:
    """Yield the processes that run under `name`, this one aside."""
    for folder in sorted(Path("/proc").glob("[0-9]*")):
        if folder.name == str(os.getpid()):
            continue
        try:
            comm = (folder / "comm").read_text(errors="replace").rstrip("\n")
            arguments = (folder / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        if is_called(name, comm, arguments):
            yield _process(folder)


def is_called(name: str, comm: str, arguments: Sequence[str]) -> bool:
    """Tell whether a process of this short name and these arguments is known as `name`.

    That is what the kernel calls it, cut off as there, or its program, or the script of an
    interpreter. Daemons that write over their arguments put a colon or a blank behind their name.
    """
    cut = name.encode()[:_COMM].decode(errors="replace")
    if comm in (name, cut) or comm == f"{name}:":
        return True
    programs = [argument.split(" ")[0].rstrip(":") for argument in arguments[:2]]
    return name in (program.rpartition("/")[2] for program in programs)


def connections() -> Iterator[Connection]:
    """Yield all connections of this network namespace."""
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for line in _lines(f"/proc/net/{protocol}"):
            fields = line.split()
            state = fields[3]
            yield Connection(
                inode=int(fields[9]),
                local=int(fields[1].rpartition(":")[2], 16),
                remote=int(fields[2].rpartition(":")[2], 16),
                # A port of UDP never connects: what waits on it is a socket that is closed.
                listens=state == (_LISTEN if protocol.startswith("tcp") else _CLOSE),
                established=state == _ESTABLISHED,
            )


def unix_sockets(path: str) -> frozenset[int]:
    """Return the inodes of the sockets that are bound to `path`."""
    split = (line.split(maxsplit=7) for line in _lines("/proc/net/unix"))
    return frozenset(int(fields[6]) for fields in split if len(fields) == 8 and fields[7] == path)


def _process(folder: Path) -> Process:
    inodes = set()
    try:
        for entry in os.listdir(folder / "fd"):
            kind, _, inode = _link(folder / "fd" / entry).partition(":[")
            if kind == "socket":
                inodes.add(int(inode.rstrip("]")))
    except PermissionError:
        return Process(pid=int(folder.name), sockets=frozenset(), readable=False)
    except FileNotFoundError:
        pass  # it has ended
    return Process(pid=int(folder.name), sockets=frozenset(inodes), readable=True)


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


def _lines(file: str) -> list[str]:
    """Return a table of the kernel without its head; none where the kernel has not the protocol."""
    try:
        return Path(file).read_text(errors="surrogateescape").splitlines()[1:]
    except FileNotFoundError:
        return []
