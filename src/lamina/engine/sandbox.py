"""Sandboxes: an image's file system, mounted where nothing but the image can be reached.

A sandbox has mount, process, network, IPC, host name and cgroup namespaces of its own, a private
/dev, /proc and /tmp, and few capabilities. It ends as a whole, whatever still runs in it, and the
mount with it, when its last call ends, when a call takes too long, when lamina stops or is killed.
"""

from __future__ import annotations

import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event
from typing import IO, Any, Literal

from lamina.engine.system_calls import system_call_filter
from lamina.errors import BuildError
from lamina.oci.disk import NO_SPACE

# capabilities(7): what dpkg and maintainer scripts need to give files to their owners.
INSTALL_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 18, 29, 31)
# What container engines give by default, and what network services configure their own
# namespace with (NET_ADMIN). Neither list can mount, load modules or trace others, nor make
# devices, as engines that guard them by a control group let a container do.
SERVICE_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 12, 13, 18, 29, 31)

# Isolated, and without what a site adds: it starts for every image. Its folder comes last, so that
# no module here takes the place of one of Python's.
_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); from sandbox_program import main; main.main()"
)
_MAX_LOWERS = 999  # of two mounts, one a lower directory of the other
_POLL = 0.1  # seconds between two looks at whether to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A file or folder of this machine that the sandbox sees.

    Below /tmp nothing is left of it; elsewhere the directories that lead to it are, in `upper`.
    """

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A program to run in the sandbox, and what its end must be like.

    `wait`: to its end, and again while `retry` and it is not as expected. `background`: it goes
    on beside the calls that follow. `foreground`: on the caller's own terminal.

    With the name of a `service` it is kept as a container is: its orphans come to its first
    process, and what it leaves ends with it. In the background, later calls know it by that name.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    user: str = ""  # by the image's /etc/passwd; empty: root
    timeout: float = 3600  # seconds
    title: str = ""  # for the log
    stdout: str = ""  # a regular expression that must be found in what it prints
    exit: int = 0
    retry: bool = False
    lasting: bool = False  # what it leaves running may go on printing
    service: str = ""
    beside: str = ""  # a service in the background, whose end is the call's as well
    way: Literal["wait", "background", "foreground"] = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at the processes of a service, until they are as they must be.

    Its main process is the one it was started with, or the eldest child of that where it is
    `init`. It must have become something else than `prelude`, and be the `user`'s.
    """

    service: str
    init: str = ""
    prelude: str = ""
    user: str = ""  # by the image's /etc/passwd; empty: anybody
    rootless: bool = False  # no process of the service may be root's
    timeout: float = 10  # seconds
    title: str = ""
    way: Literal["look"] = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a service: a signal, after which it must end in time."""

    service: str
    signal: int
    timeout: float  # seconds
    title: str = ""
    way: Literal["end"] = "end"


Step = Call | Look | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a call ended."""

    good: bool  # the exit code and the output were as expected
    code: int | None  # None: it took too long and was killed
    matches: bool
    output: str  # what was printed; of a look, what is wrong
    seconds: float
    ended: int | None = None  # the exit code of a service whose end, too early, ended the call


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What a sandbox is made of."""

    lowers: tuple[Path, ...]  # topmost first
    folder: Path  # an empty folder for `upper` and overlayfs's own needs
    binds: tuple[Bind, ...] = ()
    capabilities: tuple[int, ...] = INSTALL_CAPABILITIES
    hostname: str = "localhost"
    loopback: bool = False

    @property
    def upper(self) -> Path:
        """Where everything that the calls changed is afterwards."""
        return self.folder / "upper"


class Stopped(Exception):  # noqa: N818
    """The sandbox was ended because lamina was asked to stop."""


def prepare(sandbox: Sandbox) -> None:
    """Make the upper directory and what else the mount needs; raise `BuildError` past a limit."""
    if len(sandbox.lowers) > _MAX_LOWERS:
        raise BuildError.one(
            f"the image would stand on {len(sandbox.lowers)} directories, and at most "
            f"{_MAX_LOWERS} can be mounted",
            remedy="each package is one, those of its ancestors included: divide it into two",
        )
    for name in ("upper", "work", "root"):
        (sandbox.folder / name).mkdir()
    # What everybody finds as the root directory, whatever lamina's umask is.
    sandbox.upper.chmod(0o755)
    for number, lower in enumerate(sandbox.lowers):
        (sandbox.folder / str(number)).symlink_to(lower.absolute())


def run(
    sandbox: Sandbox,
    calls: Sequence[Step],
    *,
    log: Path | None = None,
    stop: Event | None = None,
    on_result: Callable[[int, Result], None] = lambda _number, _result: None,
) -> tuple[Result, ...]:
    """Do the calls in order in a prepared sandbox; the first that is not good is the last.

    What they print is appended to `log`. Raises `BuildError` where the sandbox cannot be made,
    `OSError` when the disk is full, and `Stopped` once `stop` is set.
    """
    foreground = any(call.way == "foreground" for call in calls)
    with ExitStack() as ends, _interrupts(ignored=foreground):
        # overlayfs leaves a folder in here that nobody may enter.
        ends.callback(shutil.rmtree, sandbox.folder / "work", ignore_errors=True)
        log_descriptor = ends.enter_context(log.open("ab")).fileno() if log else -1
        text = json.dumps(_specification(sandbox, calls, log_descriptor))
        reader, writer = (ends.enter_context(end) for end in _pipe())
        results, result_writer = (ends.enter_context(end) for end in _pipe())
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", "-c", _START, str(Path(__file__).parent)),
                *(str(reader.fileno()), str(result_writer.fileno())),
            ],
            pass_fds=[reader.fileno(), result_writer.fileno()] + [log_descriptor] * bool(log),
            stdin=None if foreground else subprocess.DEVNULL,
            # On a terminal the program must stay in the terminal's session.
            start_new_session=not foreground,
        )
        ends.callback(process.wait)
        # Closed before that wait, which tells the process to end, and all in the sandbox with it.
        ends.callback(results.close)
        reader.close()
        result_writer.close()
        with suppress(BrokenPipeError), writer:
            writer.write(text.encode())
        return _read_results(results.fileno(), stop, on_result)


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb"), os.fdopen(writer, "wb")


@contextmanager
def _interrupts(*, ignored: bool) -> Iterator[None]:
    """Leave interrupts of the terminal to the program that runs on it, while `ignored`."""
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _specification(sandbox: Sandbox, calls: Sequence[Step], log: int) -> dict[str, Any]:
    return {
        "folder": str(sandbox.folder.absolute()),
        "lowers": len(sandbox.lowers),
        "binds": [
            {"source": str(b.source.absolute()), "target": b.target, "read_only": b.read_only}
            for b in sandbox.binds
        ],
        "capabilities": list(sandbox.capabilities),
        "hostname": sandbox.hostname,
        "loopback": sandbox.loopback,
        "log": log,
        "filter": _filter().hex(),
        "calls": [asdict(call) for call in calls],
    }


def _filter() -> bytes:
    try:
        return system_call_filter(platform.machine())
    except ValueError as error:
        raise BuildError.one(
            f"no sandbox on this machine, {platform.machine()}: {error}",
            remedy="build on another machine",
        ) from error


def _read_results(
    results: int, stop: Event | None, on_result: Callable[[int, Result], None]
) -> tuple[Result, ...]:
    found: list[Result] = []
    pending = b""
    while True:
        if stop is not None and stop.is_set():
            raise Stopped
        if not select.select([results], [], [], _POLL)[0]:
            continue
        chunk = os.read(results, 1 << 16)
        if not chunk:
            return tuple(found)
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            raw = json.loads(line)
            if raw.get("errno") in NO_SPACE:
                raise OSError(raw["errno"], raw["error"])
            if "error" in raw:
                raise BuildError.one(
                    f"the sandbox cannot be made: {raw['error']}",
                    remedy="lamina needs root, namespaces and overlayfs, on a file system that "
                    "overlayfs can write to (ext4, xfs, btrfs, tmpfs)",
                )
            found.append(Result(**raw))
            on_result(len(found) - 1, found[-1])
