"""Which programs run below this process: looked at many times a second while a block runs."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICK = 0.02  # seconds between two looks
_PROGRAM = "sandbox_program"
_SCRIPT = re.compile(
    r"/var/lib/dpkg/(?:info/(?P<package>[^/:]+)(?::\w+)?\.|tmp\.ci/)"
    r"(?P<script>preinst|postinst|prerm|postrm|config)$"
)
_INTERPRETERS = re.compile(r"(?:ba|da)?sh|perl|python3?(?:\.\d+)?|env")


@dataclass(slots=True)
class Samples:
    """Seconds of wall time, by what ran: the innermost programs of a sandbox."""

    programs: dict[str, float] = field(default_factory=dict)
    scripts: dict[str, float] = field(default_factory=dict)  # `ca-certificates postinst`


@contextmanager
def sampled() -> Iterator[Samples]:
    """Give samples of what runs in this process's sandboxes during the block.

    A tick counts for every innermost program, so several at a time count more than the clock.
    """
    samples = Samples()
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(samples, stop))
    watcher.start()
    try:
        yield samples
    finally:
        stop.set()
        watcher.join()


@dataclass(frozen=True, slots=True)
class _Process:
    """What does not change of a process."""

    parent: int
    name: str  # as the kernel has it


def _watch(samples: Samples, stop: threading.Event) -> None:
    known: dict[int, _Process] = {}
    last = time.monotonic()
    while not stop.wait(_TICK):
        now = time.monotonic()
        _look(samples, known, now - last)
        last = now


def _look(samples: Samples, known: dict[int, _Process], seconds: float) -> None:
    there = {int(name) for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208 - speed
    for gone in known.keys() - there:
        del known[gone]
    for pid in there - known.keys():
        _read(pid, known)
    inner = known.keys() - {process.parent for process in known.values()}
    for pid in sorted(inner):
        _read(pid, known)  # it may have become another program, or have ended
    for pid in inner & known.keys():
        line = _line(pid, known)
        commands = [_command(process) for process in line]
        starts = [n for n, command in enumerate(commands) if _PROGRAM in " ".join(command)]
        if os.getpid() not in line or not starts:
            continue
        inside = commands[: starts[0]]  # the innermost first
        name = _name(inside[0]) or known[pid].name if inside else "sandbox"
        samples.programs[name] = samples.programs.get(name, 0.0) + seconds
        if script := _script(inside):
            samples.scripts[script] = samples.scripts.get(script, 0.0) + seconds


def _read(pid: int, known: dict[int, _Process]) -> None:
    """Note what a process is; one that has ended and is not waited for yet is forgotten."""
    known.pop(pid, None)
    with suppress(OSError):
        head, _, tail = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
        state, parent = tail.split()[:2]
        if state not in "ZX":
            known[pid] = _Process(int(parent), head.partition("(")[2])


def _line(pid: int, known: dict[int, _Process]) -> list[int]:
    """Return a process and those that it comes from, outwards."""
    line = [pid]
    while line[-1] in known:
        line.append(known[line[-1]].parent)
    return line


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def _name(command: list[str]) -> str:
    """Return what people call a command: the program, of an interpreter the script."""
    words = [word for word in command if not word.startswith("-")]
    if len(words) > 1 and _INTERPRETERS.fullmatch(Path(words[0]).name):
        words = words[1:]
    return Path(words[0]).name[:40] if words else ""


def _script(commands: list[list[str]]) -> str:
    """Return the maintainer script that a process belongs to, if it does to one."""
    for command in commands:
        for word in command:
            if found := _SCRIPT.search(word):
                return f"{found['package'] or ''} {found['script']}".strip()
    return ""
