"""Waiting for processes, and keeping what they print."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import time

from .kernel import Json, write
from .programs import start

FIONREAD = 0x541B
# What a call prints is kept for its check up to this many bytes; the log has all of it.
OUTPUT_LIMIT = 1 << 20
TAIL_LIMIT = 1 << 13  # bytes kept of what a program in the background printed last


class Program:
    """A program in the background: what it printed last, and the pipe it prints to, -1 if none."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self.pipe = pipe
        self.tail = bytearray()


class Reaper:
    """Waits for processes; as the first process of its namespace it is given every orphan."""

    def __init__(self, log: int) -> None:
        """Copy what the processes print to the descriptor `log`."""
        self.log = log
        self.ended: dict[int, int] = {}
        self.background: list[Program] = []
        self.services: dict[str, Program] = {}
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

    def start(self, call: Json, *, inherit: bool = False) -> tuple[int, int]:
        """Start a call's program; return its process id and the pipe that it prints to."""
        pipe, output = os.pipe()
        os.set_blocking(pipe, False)
        pid = start(call, output, inherit=inherit)
        os.close(output)
        self.ended.pop(pid, None)  # of an orphan that had the number before
        return pid, pipe

    def keep(self, program: Program) -> None:
        """Go on copying what a program prints while others are waited for."""
        self.background.append(program)

    def wait(self, pipes: list[int], seconds: float) -> list[int]:
        """Wait for a process to end, or for something in `pipes`; return those that have it.

        What comes from the background meanwhile is copied, and ends the wait too.
        """
        talking = {program.pipe: program for program in self.background}
        waited = [self.bell, *pipes, *talking]
        ready, _, _ = select.select(waited, [], [], max(seconds, 0.0))
        if self.bell in ready:
            os.read(self.bell, 1 << 16)
        for pipe in ready:
            if pipe in talking:
                self.listen(talking[pipe])
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self.ended[ended[0]] = os.waitstatus_to_exitcode(ended[1])
        return [pipe for pipe in pipes if pipe in ready]

    def pause(self, seconds: float, beside: Program | None) -> None:
        """Wait for so long, or until the service `beside` has ended."""
        end = time.monotonic() + seconds
        while not self.is_over(beside) and (left := end - time.monotonic()) > 0:
            self.wait([], left)

    def is_over(self, program: Program | None) -> bool:
        """Return whether there is a program and it has ended."""
        return program is not None and program.pid in self.ended

    def follow(
        self, pid: int, pipe: int, deadline: float, beside: Program | None
    ) -> tuple[int | None, bytes]:
        """Wait for `pid`; return its exit code and its output.

        The code is None at the `deadline`, or when the service `beside` has ended before: then
        the sandbox ends, and the program with it.
        """
        output = bytearray()
        pipes = [pipe]
        while pid not in self.ended:
            left = deadline - time.monotonic()
            if left <= 0 or self.is_over(beside):
                return None, bytes(output)
            if self.wait(pipes, left) and self.copy(pipe, output, 1 << 16) == 0:
                pipes = []  # it was closed, by a program that goes on
        self.drain(pipe, output)
        return self.ended.pop(pid), bytes(output)

    def drain(self, pipe: int, output: bytearray) -> None:
        """Copy what is in `pipe` by now; what daemons go on to print has no end."""
        size = struct.unpack("i", fcntl.ioctl(pipe, FIONREAD, bytes(4)))[0]
        while size > 0 and (copied := self.copy(pipe, output, size)):
            size -= copied

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

    def listen(self, program: Program) -> None:
        """Copy some of what a program in the background prints, and keep its end."""
        copied = self.copy(program.pipe, program.tail, 1 << 16)
        del program.tail[:-TAIL_LIMIT]
        if copied == 0:
            os.close(program.pipe)
            program.pipe = -1
            self.background.remove(program)

    def last_words(self, program: Program) -> str:
        """Return what a program in the background has printed last."""
        if program.pipe >= 0:
            self.drain(program.pipe, program.tail)
        return program.tail[-TAIL_LIMIT:].decode(errors="replace")
