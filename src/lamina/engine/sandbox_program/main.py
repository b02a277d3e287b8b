"""The two processes of the program: one that waits outside, and the first one of the sandbox.

It is given two file descriptors. From one it reads the specification, the JSON form of
`lamina.engine.sandbox.Sandbox` and its calls; to the other it writes a line of JSON for each call
that ended.

Sources: namespaces(7), prctl(2).
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys

from .calls import do
from .confinement import keep_capabilities, raise_loopback, refuse_system_calls
from .kernel import LIBC, Json, check, write
from .mounts import (
    MS_PRIVATE,
    MS_REC,
    enter,
    make_binds,
    make_devices,
    make_proc,
    mount,
    mount_overlay,
)
from .reaper import Reaper

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x20000000, 0x40000000,
)  # fmt: skip
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4


def first_process(spec: Json, results: int) -> None:
    """Be the first process of the sandbox: set it up, run the calls, report each."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if is_deserted(results):
        return  # the outer process had ended before this one asked to be told
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount_overlay(spec)
    root = f"{spec['folder']}/root"
    make_devices(root)
    make_proc(root)
    make_binds(root, spec["binds"])
    enter(root)
    # From here on a module would be looked for in the image.
    sys.meta_path.clear()
    socket.sethostname(spec["hostname"])
    if spec["loopback"]:
        raise_loopback()
    # One byte: neither a file in the image nor a program of the host is given memory images.
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    refuse_system_calls(bytes.fromhex(spec["filter"]))
    keep_capabilities(spec["capabilities"])
    # Otherwise what runs here could look into this process and at what it has open.
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.umask(0o022)
    reaper = Reaper(spec["log"])
    for call in spec["calls"]:
        reaper.title(call)
        result = do(call, reaper)
        write(results, json.dumps(result).encode() + b"\n")
        if not result["good"]:
            return


def is_deserted(results: int) -> bool:
    """Return whether nobody can read the results any more."""
    poll = select.poll()
    poll.register(results, 0)  # an error is told without being asked for
    return bool(poll.poll(0))


def wait_for(first: int, results: int) -> None:
    """Wait for the first process; end it as soon as nobody reads the results any more."""
    poll = select.poll()
    poll.register(os.pidfd_open(first), select.POLLIN)
    poll.register(results, 0)
    poll.poll()
    # The end of the first process is the end of all: it comes after that of the others.
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)


def main() -> None:
    """Enter the namespaces, become two processes, and wait for the inner one."""
    source, results = int(sys.argv[1]), int(sys.argv[2])
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    with os.fdopen(source) as file:
        text = file.read()
    if not text:
        return  # lamina has ended meanwhile
    spec = json.loads(text)
    # The programs must not get hold of these.
    for descriptor in {results, spec["log"]} - {-1}:
        os.set_inheritable(descriptor, False)
    # On a terminal the interrupt is for the program in the sandbox, not for what holds it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
    try:
        check(LIBC.unshare(namespaces | CLONE_NEWNET), "unshare")
        pid = os.fork()
        if pid:
            wait_for(pid, results)
            return
        first_process(spec, results)
    except Exception as error:
        why = str(getattr(error, "strerror", None) or error)
        with contextlib.suppress(BrokenPipeError):
            told = {"error": why, "errno": getattr(error, "errno", None)}
            write(results, json.dumps(told).encode() + b"\n")
    os._exit(0)
