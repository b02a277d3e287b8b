"""The processes of the sandbox, as /proc tells them.

Source: proc_pid_status(5), proc_pid_cmdline(5).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from .accounts import accounts


class Process:
    """One process, as it was when it was looked at."""

    def __init__(self, pid: int, parent: int, name: str, uids: tuple[int, ...], line: str) -> None:
        self.pid = pid
        self.parent = parent
        self.name = name  # the kernel's: of a script, its own
        self.uids = uids  # real, effective, saved
        self.line = line  # what it was called with

    def shown(self) -> str:
        """Return a line about the process."""
        return f"{self.pid:>7} {user_name(self.uids[1]):<16} {self.line[:200] or self.name}\n"


def processes() -> dict[int, Process]:
    """Return all processes but this one, by their ids."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and entry != "1" and (process := read(int(entry))):
            found[process.pid] = process
    return found


def read(pid: int) -> Process | None:
    """Return one process; None when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as line:
            words = line.read().rstrip("\0").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields["State"].startswith(("Z", "X")):
        return None
    uids = tuple(int(number) for number in fields["Uid"].split()[:3])
    return Process(pid, int(fields["PPid"]), fields["Name"], uids, words)


def below(tops: Collection[int], table: Mapping[int, Process]) -> dict[int, Process]:
    """Return the processes `tops` and all that descend from them, parents first."""
    found = {pid: table[pid] for pid in sorted(tops) if pid in table}
    waiting = list(found)
    while waiting:
        parent = waiting.pop(0)
        children = [pid for pid in sorted(table) if table[pid].parent == parent]
        waiting += [pid for pid in children if pid not in found]
        found.update({pid: table[pid] for pid in children})
    return found


def user_name(uid: int) -> str:
    """Return the name of a user of the image, or its number."""
    names = [account[0] for account in accounts("/etc/passwd", 7) if account[2] == str(uid)]
    return names[0] if names else str(uid)
