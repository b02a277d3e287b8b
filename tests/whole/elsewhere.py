"""lamina elsewhere: a program that runs lamina as on another machine, on another day.

Another host name, umask, zone, locale and home are the caller's to give. The clock is that of
libfaketime, in lamina and, which is what this program adds, in every dynamically linked program of
a sandbox: maintainer scripts and what they call see another date. The kernel's own clock, which
files get their times from, runs on from one build to the next anyway; it is all that is left to
an image whose programs cannot be given another.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lamina.cli import main
from lamina.engine import sandbox
from lamina.engine.sandbox import Bind, Call, Result, Sandbox

PRELOAD = "LD_PRELOAD"
_TARGET = "/tmp/.lamina/libfaketime.so"
# BIND's allocator, jemalloc, and libfaketime call each other for ever as these begin.
_UNSHIFTABLE = "usr/sbin/rndc-confgen"


def clock(library: str) -> Mapping[str, str]:
    """Return the environment in which programs see a date more than a year from now."""
    return {
        PRELOAD: library,
        "FAKETIME": "+400d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # for how long things take
        "NO_FAKE_STAT": "1",  # a package's files are as old as they are
    }


def library() -> Path:
    """Return where libfaketime is installed."""
    (found,) = Path("/usr/lib").glob("*-linux-gnu/faketime/libfaketime.so.1")
    return found


def start() -> None:
    """Run lamina with the words of the command line, its sandboxes on another day."""
    run = sandbox.run
    bind = Bind(source=library(), target=_TARGET)

    def run_elsewhere(box: Sandbox, calls: Sequence[Call], **how: Any) -> tuple[Result, ...]:
        if any((lower / _UNSHIFTABLE).exists() for lower in box.lowers):
            return run(box, calls, **how)
        shifted = [
            replace(call, environment={**call.environment, **clock(_TARGET)}) for call in calls
        ]
        return run(replace(box, binds=(*box.binds, bind)), shifted, **how)

    setattr(sandbox, "run", run_elsewhere)  # noqa: B010 - a function's name cannot be assigned
    main()


if __name__ == "__main__":
    assert PRELOAD in os.environ, "the caller gives lamina itself the clock"
    sys.argv[0] = "lamina"
    start()
