"""Visiting an image: a command in the sandbox, on the caller's own terminal."""

from __future__ import annotations

from pathlib import Path

from lamina.build.proof import DEFAULT_PATH
from lamina.engine import sandbox
from lamina.engine.sandbox import SERVICE_CAPABILITIES, Call, Sandbox
from lamina.engine.stack import Stack
from lamina.model.image import Runtime

_FOREVER = 10.0**9  # seconds


def visit(runtime: Runtime, stack: Stack, command: tuple[str, ...], work: Path) -> int:
    """Run `command` as the image's user with its environment; return the exit code.

    The sandbox has a loopback interface and nothing else of a network. What is written is lost.
    """
    folder = work / "visit"
    folder.mkdir()
    box = Sandbox(
        lowers=stack.lowers, folder=folder, capabilities=SERVICE_CAPABILITIES, loopback=True
    )
    sandbox.prepare(box)
    call = Call(
        argv=command,
        environment={"PATH": DEFAULT_PATH, "TERM": "xterm", **runtime.environment},
        cwd=runtime.working_dir or "/",
        user=runtime.user.partition(":")[0],
        timeout=_FOREVER,
        way="foreground",
    )
    results = sandbox.run(box, (call,))
    code = results[0].code if results else None
    # As a shell tells it: 128 and the signal that ended the command.
    return 1 if code is None else code if code >= 0 else 128 - code
