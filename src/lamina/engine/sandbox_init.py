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
import resource
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
CAPABILITIES = 64  # bits in a set of them; the kernel knows fewer
CAPABILITY_VERSION_3 = 0x20080522
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 4
FIONREAD = 0x541B

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
    """Mount a file system, or change a mount, on `target`."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    data = None if options is None else os.fsencode(options)
    check(LIBC.mount(*encoded, ctypes.c_ulong(flags), data), f"mount {kind or ''} on {target}")


def mount_point(root: str, name: str) -> str:
    """Return the path of a directory of the image, which must be one: a link leads elsewhere."""
    path = f"{root}/{name}"
    if not os.path.isdir(path) or os.path.islink(path):
        raise OSError(errno.ENOTDIR, f"/{name} of the image is no directory")
    return path


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
    dev = mount_point(root, "dev")
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
    proc = mount_point(root, "proc")
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
    mount("tmpfs", mount_point(root, "tmp"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for bind in binds:
        target = f"{root}{bind['target']}"
        if os.path.isdir(bind["source"]):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "ab").close()
        mount(bind["source"], target, None, MS_BIND)
        flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV
        mount(None, target, None, flags | (MS_RDONLY if bind["read_only"] else 0))


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


def refuse_system_calls(program: bytes) -> None:
    """Put a filter of system calls over this process and all that it starts."""
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
    number = SYS_SECCOMP[os.uname().machine]
    flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW  # else older kernels make the processes slower
    check(LIBC.syscall(number, SECCOMP_SET_MODE_FILTER, flags, head), "seccomp")


def keep_capabilities(kept: list[int]) -> None:
    """Give up every capability but those numbered in `kept`, for good."""
    for number in range(CAPABILITIES):
        if number in kept or LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
            continue
        # One that this kernel does not know cannot be dropped, nor used.
        if ctypes.get_errno() != errno.EINVAL:
            check(-1, f"drop capability {number}")
    mask = sum(1 << number for number in kept)
    header = struct.pack("II", CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("6I", low, low, 0, high, high, 0)
    check(LIBC.capset(header, data), "capset")


def identity(user: str) -> tuple[int, int, list[int], str] | None:
    """Return uid, gid, all group ids and home of `user`, by the image's own passwd and group.

    None where the image has no such user.
    """
    found = [a for a in accounts("/etc/passwd", 7) if user in (a[0], a[2])]
    if not found or not (found[0][2].isdecimal() and found[0][3].isdecimal()):
        return None
    name, uid, gid, home = found[0][0], int(found[0][2]), int(found[0][3]), found[0][5]
    further = {
        int(group[2])
        for group in accounts("/etc/group", 4)
        if name in group[3].split(",") and group[2].isdecimal()
    }
    return uid, gid, sorted({gid, *further}), home


def accounts(path: str, fields: int) -> list[list[str]]:
    """Return the lines of a file of users or groups that have as many fields."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            split = [line.rstrip("\n").split(":") for line in lines]
    except OSError:
        return []
    return [line for line in split if len(line) == fields]


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
        if who := identity(call["user"]) if call["user"] else None:
            uid, gid, groups, home = who
            environment.setdefault("HOME", home)
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
        os._exit(127)


def write(descriptor: int, content: bytes) -> None:
    """Write all of `content`."""
    while content:
        content = content[os.write(descriptor, content) :]


class Reaper:
    """Waits for processes; as the first process of its namespace it is given every orphan."""

    def __init__(self, log: int) -> None:
        """Copy what the processes print to the descriptor `log`."""
        self.log = log
        self.ended: dict[int, int] = {}
        # A process that ends makes a byte come through this pipe.
        self.bell, ringer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def title(self, call: Json) -> None:
        """Write the title of a call into the log."""
        if self.log >= 0 and call["title"]:
            write(self.log, f"## {call['title']}\n".encode(errors="replace"))

    def note(self, content: bytes) -> None:
        """Write what was printed into the log."""
        if self.log >= 0:
            write(self.log, content)

    def wait(self, pipes: list[int], seconds: float) -> list[int]:
        """Wait for a process to end, or for something in `pipes`; return those that have it."""
        ready, _, _ = select.select([self.bell, *pipes], [], [], max(seconds, 0.0))
        if self.bell in ready:
            os.read(self.bell, 1 << 16)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self.ended[ended[0]] = os.waitstatus_to_exitcode(ended[1])
        return [pipe for pipe in pipes if pipe in ready]

    def follow(self, pid: int, pipe: int, deadline: float) -> tuple[int | None, bytes]:
        """Wait for `pid` until `deadline`; return its exit code, or None, and its output."""
        output = bytearray()
        pipes = [pipe]
        while pid not in self.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                return None, bytes(output)  # the sandbox ends, and the program with it
            if self.wait(pipes, left) and self.copy(pipe, output, 1 << 16) == 0:
                pipes = []  # it was closed, by a program that goes on
        # What is there by now; what daemons go on to print has no end.
        size = struct.unpack("i", fcntl.ioctl(pipe, FIONREAD, bytes(4)))[0]
        while size > 0 and (copied := self.copy(pipe, output, size)):
            size -= copied
        return self.ended.pop(pid), bytes(output)

    def copy(self, pipe: int, output: bytearray, size: int) -> int | None:
        """Copy up to `size` bytes from `pipe` to the log and to `output`; return how many.

        0 when the pipe was closed, None when it is empty: a program may have opened it anew, by
        its name in /proc, and have taken what was there.
        """
        try:
            chunk = os.read(pipe, size)
        except BlockingIOError:
            return None
        self.note(chunk)
        output += chunk[: OUTPUT_LIMIT - len(output)]
        return len(chunk)


def run(call: Json, reaper: Reaper) -> Json:
    """Run one call to its end, again and again where it says so; return its result."""
    began = time.monotonic()
    deadline = began + call["timeout"]
    expected = re.compile(call["stdout"], re.MULTILINE)
    while True:
        pipe, output = os.pipe()
        os.set_blocking(pipe, False)
        pid = start(call, output, inherit=False)
        os.close(output)
        code, printed = reaper.follow(pid, pipe, deadline)
        text = printed.decode(errors="replace")
        os.close(pipe)
        matches = expected.search(text) is not None
        good = code == call["exit"] and matches
        over = time.monotonic() + RETRY_PAUSE >= deadline
        if good or over or code is None or not call["retry"]:
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
            reaper.note(chunk)
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
        reaper.wait([], call["timeout"])
    code = reaper.ended[pid]
    seconds = round(time.monotonic() - began, 3)
    return {"code": code, "output": "", "matches": True, "good": code == 0, "seconds": seconds}


def refuse(call: Json, reaper: Reaper) -> Json:
    """Return the result of a call whose user the image does not have."""
    text = f"{call['argv'][0]}: the image has no user {call['user']}\n"
    reaper.note(text.encode(errors="replace"))
    return {"code": 127, "output": text, "matches": False, "good": False, "seconds": 0.0}


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
    ways = {"wait": run, "background": run_in_background, "foreground": run_in_foreground}
    for call in spec["calls"]:
        reaper.title(call)
        known = not call["user"] or identity(call["user"]) is not None
        result = ways[call["way"]](call, reaper) if known else refuse(call, reaper)
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


if __name__ == "__main__":
    main()
