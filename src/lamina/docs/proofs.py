"""What the tests of an image prove, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from shlex import join as command_line

from lamina.docs.markdown import code, codes
from lamina.model.image import ImageTest, Runtime, ServiceTest

_LONGEST = 110  # letters of a command line
_STOP_SIGNAL = "SIGTERM"  # of an image that states no other
_SHELLS = ("bash", "dash", "sh")
_INTERPRETERS = (*_SHELLS, "perl", "python3")


def proof(test: ImageTest | ServiceTest, runtime: Runtime) -> str:
    """Return what `test` proves of an image with this configuration: a sentence in Markdown."""
    return _service(test, runtime) if isinstance(test, ServiceTest) else _command(test)


def _service(test: ServiceTest, runtime: Runtime) -> str:
    runs_as = test.runs_as or runtime.user.partition(":")[0] or "root"
    shown = [
        f"healthy by {code(_cut(command_line(test.healthcheck)))}",
        f"runs as {code(runs_as)}",
        *([f"{_asked(test.user)}{_said(test.run)} {_ending(test)}"] if test.run else []),
        f"ends within {test.stop} s of {code(runtime.stop_signal or _STOP_SIGNAL)}",
    ]
    return f"As a service, by {code(_cut(test.command))}{_ground(test)}: {'; '.join(shown)}."


def _asked(user: str) -> str:
    return f"as {code(user)}, " if user else ""


def _ground(test: ServiceTest) -> str:
    """Return what a service finds when it starts."""
    beside = [*sorted(test.files), *_variables(test.environment)]
    parts = [
        *([f"with {codes(beside)}"] if beside else []),
        *([f"beside what {_said(test.prepare)} prepares"] if test.prepare else []),
        *(
            [f"after a first run with {codes(_variables(test.bootstrap))}"]
            if test.bootstrap
            else []
        ),
    ]
    return "".join(f", {part}" for part in parts)


def _variables(values: Mapping[str, str]) -> Iterator[str]:
    return (f"{name}={value}" if value else name for name, value in sorted(values.items()))


def _command(test: ImageTest) -> str:
    whilst = f"while {_running(test.start)} runs, " if test.start else ""
    sentence = f"{_asked(test.user)}{whilst}{_said(test.run)} {_ending(test)}."
    # A command keeps its letters.
    return sentence if sentence.startswith("`") else sentence[0].upper() + sentence[1:]


def _ending(test: ImageTest | ServiceTest) -> str:
    """Return what is expected of the command: its status, its output, or both."""
    expected = []
    if test.exit:
        expected.append(f"ends with status {test.exit}")
    if test.stdout:
        expected.append(f"prints {_expected(test.stdout)}")
    return " and ".join(expected) or "succeeds"


def _expected(pattern: str) -> str:
    """Return what matches a regular expression: the text, if it is no more than one."""
    body = pattern.removeprefix("^").removesuffix("$")
    escapes = re.compile(r"\\([^\w\s])")
    if re.search(r"[\\^$.*+?{}\[\]|()]", escapes.sub("", body)):
        return f"what matches {code(pattern)}"
    return code(escapes.sub(r"\1", body).strip())


def _running(argv: Sequence[str]) -> str:
    """Return a daemon: of a script in a shell, what it becomes in the end."""
    lines = _script(argv, _SHELLS)
    last = lines[-1].partition("; exec ")[2] or lines[-1].removeprefix("exec ") if lines else ""
    return code(_cut(last)) if last else _said(argv)


def _said(argv: Sequence[str]) -> str:
    """Return a command: its line, or that it is a script, if that has several lines."""
    lines = _script(argv, _INTERPRETERS)
    if len(lines) > 1:
        return f"a script ({argv[0]}, {len(lines)} lines)"
    if lines and argv[0] in _SHELLS:
        return code(_cut(lines[0]))
    return code(_cut(command_line(argv)))


def _script(argv: Sequence[str], interpreters: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of the script that `argv` holds, if it does; continued ones as one."""
    if argv[0] not in interpreters or len(argv) < 3 or not re.fullmatch(r"-[a-z]*c", argv[1]):
        return ()
    lines = re.sub(r"\\\n\s*", "", argv[2]).splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"
