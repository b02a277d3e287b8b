"""The first process of a sandbox: it makes the sandbox around itself, then runs the calls.

A program of its own (`python -I -S sandbox_init.py SPEC RESULTS`, two file descriptors), because
namespaces must be entered by a process that has nothing else to do, and with the standard library
alone, because it starts for every image. The specification is the JSON form of
`lamina.engine.sandbox.Sandbox` and its calls; for each call that ended one line of JSON goes to
the results.

Sources: namespaces(7), mount(2), pivot_root(2), capabilities(7), proc(5); the masked paths are
those of the OCI runtime specification's default.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import sys
import time
from typing import Any, NoReturn

Json = dict[str, Any]

LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
LAST_CAPABILITY = 40
CAPABILITY_VERSION_3 = 0x20080522
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

MASKED = ("kcore", "keys", "timer_list", "latency_stats", "sched_debug", "acpi", "scsi", "kmsg")
READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs")
DEVICES = {
    "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
    "tty": (5, 0),
}  # fmt: skip
DEVICE_LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
}  # fmt: skip
# What a call prints is kept for its check up to this many bytes; the log has all of it.
OUTPUT_LIMIT = 1 << 20
RETRY_PAUSE = 0.2


def check(result: int, what: str) -> int:
    """Return `result` of a call into libc, or raise what it failed with."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(
    source: str | None,
    target: str,
    kind: str | None = None,
    flags: int = 0,
    options: str | None = None,
) -> None:
    """Mount, as mount(2) has it."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    data = None if options is None else os.fsencode(options)
    check(LIBC.mount(*encoded, ctypes.c_ulong(flags), data), f"mount {kind or ''} on {target}")


def mount_overlay(spec: Json) -> None:
    """Mount the image's file system on the folder's `root`."""
    # Numbered links keep the options within the one page that mount(2) takes: 500 lower
    # directories, which is overlayfs's own limit, fit in it.
    os.chdir(spec["folder"])
    lowers = ":".join(str(number) for number in range(spec["lowers"]))
    options = f"lowerdir={lowers},redirect_dir=off,metacopy=off,index=off,xino=off"
    options += ",upperdir=upper,workdir=work,volatile"
    mount("overlay", "root", "overlay", MS_NODEV, options)


def make_devices(root: str) -> None:
    """Mount a private /dev with nothing in it that leads to a device of the host."""
    dev = f"{root}/dev"
    mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k")
    os.umask(0)
    for name, (major, minor) in DEVICES.items():
        os.mknod(f"{dev}/{name}", 0o020666, os.makedev(major, minor))
    os.umask(0o022)
    for name, target in DEVICE_LINKS.items():
        os.symlink(target, f"{dev}/{name}")
    os.mkdir(f"{dev}/pts")
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666")
    os.mkdir(f"{dev}/shm")
    mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=256m")


def make_proc(root: str) -> None:
    """Mount a /proc of the new process namespace, its doors to the kernel shut."""
    proc = f"{root}/proc"
    mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in READ_ONLY:
        path = f"{proc}/{name}"
        if os.path.exists(path):
            mount(path, path, None, MS_BIND | MS_REC)
            mount(None, path, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    for name in MASKED:
        path = f"{proc}/{name}"
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", MS_RDONLY)
        elif os.path.exists(path):
            mount(f"{root}/dev/null", path, None, MS_BIND)


def make_binds(root: str, binds: list[Json]) -> None:
    """Bind the files and folders that the calls need; below /tmp, so that nothing is left."""
    for bind in binds:
        target = f"{root}{bind['target']}"
        if os.path.isdir(bind["source"]):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "ab").close()
        mount(bind["source"], target, None, MS_BIND)
        if bind["read_only"]:
            flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV
            mount(None, target, None, flags)


def enter(root: str) -> None:
    """Make `root` the root directory and let go of the old one."""
    os.chdir(root)
    number = SYS_PIVOT_ROOT[os.uname().machine]
    check(LIBC.syscall(number, b".", b"."), "pivot_root")
    check(LIBC.umount2(b".", MNT_DETACH), "umount the old root")
    os.chdir("/")


def raise_loopback() -> None:
    """Bring up the loopback interface of the new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(probe, 0x8914, request)  # SIOCSIFFLAGS


def keep_capabilities(kept: list[int]) -> None:
    """Give up every capability but those numbered in `kept`, for good."""
    for number in range(LAST_CAPABILITY + 1):
        # A capability that this kernel does not know cannot be dropped, nor used.
        if number not in kept and LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
            break
    mask = sum(1 << number for number in kept)
    header = struct.pack("II", CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("6I", low, low, 0, high, high, 0)
    check(LIBC.capset(header, data), "capset")


def identity(user: str) -> tuple[int, int, list[int], str]:
    """Return uid, gid, all group ids and home of `user`, by the image's own passwd and group."""
    with open("/etc/passwd", encoding="utf-8", errors="replace") as lines:
        accounts = [line.rstrip("\n").split(":") for line in lines]
    found = [a for a in accounts if len(a) > 6 and user in (a[0], a[2])]
    if not found:
        raise OSError(f"the image has no user {user}")
    name, uid, gid, home = found[0][0], int(found[0][2]), int(found[0][3]), found[0][5]
    groups = {gid}
    with contextlib.suppress(FileNotFoundError), open("/etc/group", encoding="utf-8") as lines:
        for line in lines:
            fields = line.rstrip("\n").split(":")
            if len(fields) > 3 and name in fields[3].split(","):
                groups.add(int(fields[2]))
    return uid, gid, sorted(groups), home


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
    """Start a call's program and return its process id."""
    who = identity(call["user"]) if call["user"] else None
    pid = os.fork()
    if pid:
        return pid
    try:
        if not inherit:
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
        environment = dict(call["environment"])
        if who:
            uid, gid, groups, home = who
            environment.setdefault("HOME", home)
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        os.chdir(call["cwd"])
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        execute(call["argv"], environment)
    except OSError as error:
        text = f"{call['argv'][0]}: {error.strerror or error}\n"
        os.write(2, text.encode(errors="replace"))
    os._exit(127)


class Reaper:
    """Waits for processes; as the first process of its namespace it is given every orphan."""

    def __init__(self, log: int) -> None:
        """Copy what the processes print to the descriptor `log`."""
        self.log = log
        self.ended: dict[int, int] = {}

    def reap(self) -> None:
        """Take the status of every process that has ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self.ended[pid] = os.waitstatus_to_exitcode(status)

    def drain(self, pipe: int, seconds: float) -> bytes:
        """Copy what comes through `pipe` within `seconds` to the log and return it."""
        ready, _, _ = select.select([pipe], [], [], seconds)
        if not ready:
            return b""
        chunk = os.read(pipe, 1 << 16)
        if self.log >= 0:
            os.write(self.log, chunk)
        return chunk

    def follow(self, pid: int, pipe: int, deadline: float) -> tuple[int | None, bytes]:
        """Wait for `pid` until `deadline`; return its exit code, or None, and its output."""
        output = bytearray()
        while True:
            chunk = self.drain(pipe, 0.02)
            if len(output) < OUTPUT_LIMIT:
                output += chunk
            self.reap()
            if pid in self.ended:
                while chunk := self.drain(pipe, 0):
                    output += chunk if len(output) < OUTPUT_LIMIT else b""
                return self.ended.pop(pid), bytes(output)
            if time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                return None, bytes(output)


def run(call: Json, reaper: Reaper) -> Json:
    """Run one call to its end, again and again where it says so; return its result."""
    began = time.monotonic()
    deadline = began + call["timeout"]
    expected = re.compile(call["stdout"])
    while True:
        pipe, output = os.pipe()
        pid = start(call, output, inherit=False)
        os.close(output)
        code, printed = reaper.follow(pid, pipe, deadline)
        text = printed.decode(errors="replace")
        os.close(pipe)
        matches = expected.search(text) is not None
        good = code == call["exit"] and matches
        if good or not call["retry"] or code is None or time.monotonic() > deadline:
            return {
                "code": code, "output": text, "matches": matches, "good": good,
                "seconds": round(time.monotonic() - began, 3),
            }  # fmt: skip
        time.sleep(RETRY_PAUSE)


def run_in_background(call: Json, reaper: Reaper) -> Json:
    """Start a daemon whose output goes to the log by a process of its own."""
    pipe, output = os.pipe()
    if os.fork() == 0:
        os.close(output)
        while chunk := os.read(pipe, 1 << 16):
            if reaper.log >= 0:
                os.write(reaper.log, chunk)
        os._exit(0)
    os.close(pipe)
    start(call, output, inherit=False)
    os.close(output)
    return {"code": 0, "output": "", "matches": True, "good": True, "seconds": 0.0}


def run_in_foreground(call: Json, reaper: Reaper) -> Json:
    """Run a call on the terminal or the files that the caller has."""
    began = time.monotonic()
    pid = start(call, 1, inherit=True)
    while pid not in reaper.ended:
        reaper.reap()
        time.sleep(0.01)
    code = reaper.ended[pid]
    seconds = round(time.monotonic() - began, 3)
    return {"code": code, "output": "", "matches": True, "good": code == 0, "seconds": seconds}


def first_process(spec: Json, results: int) -> None:
    """Be the first process of the sandbox: set it up, run the calls, report each."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount_overlay(spec)
    root = f"{spec['folder']}/root"
    make_devices(root)
    make_proc(root)
    mount("tmpfs", f"{root}/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    make_binds(root, spec["binds"])
    enter(root)
    # From here on a module would be looked for in the image.
    sys.meta_path.clear()
    socket.sethostname(spec["hostname"])
    if spec["loopback"]:
        raise_loopback()
    keep_capabilities(spec["capabilities"])
    # Otherwise what runs here could look into this process and at what it has open.
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.umask(0o022)
    reaper = Reaper(spec["log"])
    ways = {"wait": run, "background": run_in_background, "foreground": run_in_foreground}
    for call in spec["calls"]:
        if reaper.log >= 0 and call["title"]:
            os.write(reaper.log, f"## {call['title']}\n".encode())
        result = ways[call["way"]](call, reaper)
        os.write(results, json.dumps(result).encode() + b"\n")
        if not result["good"]:
            return


def main() -> None:
    """Enter the namespaces, become two processes, and wait for the inner one."""
    source, results = int(sys.argv[1]), int(sys.argv[2])
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    with os.fdopen(source) as file:
        spec = json.load(file)
    # On a terminal the interrupt is for the program in the sandbox, not for what holds it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
    try:
        check(LIBC.unshare(namespaces | CLONE_NEWNET), "unshare")
        pid = os.fork()
        if pid == 0:
            try:
                first_process(spec, results)
            except OSError as error:
                os.write(results, json.dumps({"error": str(error)}).encode() + b"\n")
            os._exit(0)
        os.waitpid(pid, 0)
    except OSError as error:
        os.write(results, json.dumps({"error": str(error)}).encode() + b"\n")


if __name__ == "__main__":
    main()
