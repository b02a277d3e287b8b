"""Starting programs: as their user, in their folder, with nothing of what lamina has."""

from __future__ import annotations

import errno
import os
import signal
from typing import NoReturn

from .accounts import identity
from .kernel import LIBC, Json, write

PR_SET_CHILD_SUBREAPER = 36


def execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """Become the program `argv`, found in PATH as execvp(3) does; raise what it failed with."""
    name = argv[0]
    folders = [""] if "/" in name else environment.get("PATH", "/usr/bin:/bin").split(":")
    fault: OSError = FileNotFoundError(errno.ENOENT, "command not found")
    for folder in folders:
        try:
            os.execve(os.path.join(folder, name), argv, environment)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            fault = error
    raise fault


def start(call: Json, output: int, *, inherit: bool) -> int:
    """Start a call's program and return its process id, once it is that program or has ended."""
    sign, begun = os.pipe()
    pid = os.fork()
    if pid:
        os.close(begun)
        # It is closed when the process becomes another program.
        if os.read(sign, 1):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        os.close(sign)
        return pid
    try:
        if not inherit:
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
        if call["service"]:
            # Its orphans come to it, as they do to the first process of a container.
            LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        environment = dict(call["environment"])
        if who := identity(call["user"]) if call["user"] else None:
            uid, gid, groups, home = who
            environment.setdefault("HOME", home)
            if not inherit:
                os.fchown(output, uid, gid)  # or /dev/stdout could not be opened
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        os.chdir(call["cwd"])
        # What lamina was started with must not show.
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        execute(call["argv"], environment)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        write(2, f"{call['argv'][0]}: {why}\n".encode(errors="replace"))
    finally:
        os.write(begun, b"!")
        os._exit(127)
