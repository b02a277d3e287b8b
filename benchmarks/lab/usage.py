"""What a program used: wall time, processor time of all its descendants, memory by part."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# With bytecode, as it is where lamina is installed: without, a start takes half a second longer.
_AS_INSTALLED = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
_PR_SET_CHILD_SUBREAPER = 36
_TICK = 0.1  # seconds between two looks at the memory
_KILOBYTE = 1024
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one run of a program used."""

    code: int
    seconds: float
    cpu: float  # seconds, user and system, of the program and of all that it started
    memory: int  # peak bytes of the program's own process
    workers: int  # sum of the peak bytes of the processes that its forkserver started, itself too


def measure(arguments: Sequence[str], *, output: Path | None = None) -> Usage:
    """Run a program to its end, its output into a file or nowhere, and return what it used."""
    # Processes that outlive the program come to this one, which adds up their time too.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = children_cpu()
    began = time.monotonic()
    with (output or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=_AS_INSTALLED
        )
        peaks: dict[int, int] = {}
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_TICK)
            if process.returncode is not None:
                break
            _note_peaks(process.pid, peaks)
    seconds = time.monotonic() - began
    with suppress(ChildProcessError):
        while True:
            os.wait()
    memory = peaks.pop(process.pid, 0)
    return Usage(
        code=process.returncode,
        seconds=seconds,
        cpu=children_cpu() - before,
        memory=memory,
        workers=sum(peaks.values()),
    )


def children_cpu() -> float:
    """Return the processor seconds of all descendants that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def own_cpu() -> float:
    """Return the processor seconds of this process and of all descendants that have ended."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + children_cpu()


def _note_peaks(program: int, peaks: dict[int, int]) -> None:
    """Note the peak memory of a program and of its forkserver's processes."""
    for pid in (program, *_forkserver(program)):
        with suppress(OSError):
            found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
            if found:
                peaks[pid] = int(found[1]) * _KILOBYTE


def _forkserver(program: int) -> list[int]:
    """Return the process ids of the forkserver of a program and of what it forked."""
    parents: dict[int, int] = {}
    servers = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            parents[int(folder.name)] = parent
            if parent == program and b"forkserver" in (folder / "cmdline").read_bytes():
                servers.add(int(folder.name))
    return [pid for pid, parent in parents.items() if pid in servers or parent in servers]
