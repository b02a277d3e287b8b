"""The door for processes: every program of the system that lamina starts is started here.

Programs are given as lists of arguments, never as text for a shell. The sandbox, which builds
its own namespaces, is in `lamina.engine`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from lamina.errors import BuildError, LaminaError, UsageError

# Where the program is not in a Debian package of its own name.
_PACKAGES = {
    "apt-config": "apt",
    "apt-ftparchive": "apt-utils",
    "chroot": "coreutils",
    "dpkg-deb": "dpkg",
    "gpg": "gnupg",
    "unshare": "util-linux",
}
_TAIL = 20  # lines of a failed program's messages that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A program that has come to its end."""

    arguments: tuple[str, ...]
    code: int
    output: str
    messages: str  # what it wrote to standard error


def run(
    arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, given: str = ""
) -> Finished:
    """Return what came of a program, whatever its exit code.

    `environment` takes the place of lamina's own, `given` is what it reads from standard input.
    Raises `UsageError` when the program is not installed.
    """
    try:
        done = subprocess.run(
            list(arguments),
            input=given.encode(),
            capture_output=True,
            env=dict(environment) if environment is not None else None,
            check=False,
        )
    except FileNotFoundError:
        raise _missing(arguments[0]) from None
    return Finished(
        arguments=tuple(arguments),
        code=done.returncode,
        output=done.stdout.decode(errors="replace"),
        messages=done.stderr.decode(errors="replace"),
    )


def path_of(program: str) -> str:
    """Return where a program is; raise `UsageError` when it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise _missing(program)
    return path


def output_of(arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """Return what a program printed; raise `BuildError` when it failed."""
    done = run(arguments, environment=environment)
    if done.code:
        raise _failed(arguments[0], done.code, done.messages)
    return done.output


class Conversation:
    """A running program that answers each line with a line."""

    def __init__(self, name: str, process: subprocess.Popen[str], messages: IO[bytes]) -> None:
        """Speak to `process`, whose standard error goes to the file `messages`."""
        self._name = name
        self._process = process
        self._messages = messages

    def ask(self, line: str) -> str:
        """Return the answer to `line`; raise `BuildError` when the program has ended instead."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ValueError("a conversation needs a process with pipes")
        answer = ""
        try:
            stdin.write(line + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            pass  # it has ended: told below, with its own message
        if not answer:
            code = self._process.wait()
            self._messages.seek(0)
            messages = self._messages.read().decode(errors="replace")
            raise _failed(self._name, code, messages)
        return answer.rstrip("\n")


@contextmanager
def conversation(arguments: Sequence[str]) -> Iterator[Conversation]:
    """Start a program that is asked line by line, and end it with the block.

    Raises `UsageError` when the program is not installed.
    """
    with tempfile.TemporaryFile() as messages:
        try:
            process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
            )
        except FileNotFoundError:
            raise _missing(arguments[0]) from None
        with process:
            try:
                yield Conversation(arguments[0], process, messages)
            except BaseException:
                process.kill()
                raise


def _missing(program: str) -> LaminaError:
    name = program.rpartition("/")[2]
    package = _PACKAGES.get(name, name)
    return UsageError.one(
        f"the program {name} is not installed", remedy=f"apt-get install {package}"
    )


def _failed(program: str, code: int, messages: str) -> LaminaError:
    tail = "\n".join(messages.strip().splitlines()[-_TAIL:])
    ended = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return BuildError.one(f"{program} {ended}: {tail}" if tail else f"{program} {ended}")
