"""Container engines with all their state in one folder, so that nobody else's is touched."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Engines would raise them, which not every machine allows its root.
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
LIMITS = ("--ulimit", f"nofile={_FILES}:{_FILES}", "--ulimit", "nproc=1024:1024")
# A container keeps to this machine's loopback.
_RUN = ("--rm", "--network", "host", *LIMITS)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it prints."""
    done = attempt(command, environment)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def attempt(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program, whatever comes of it."""
    return subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """podman or docker."""

    program: tuple[str, ...]
    transport: str  # what stands before a reference in lamina's `--to`
    environment: Mapping[str, str]

    def call(self, *words: str) -> str:
        """Run a command of the engine and return what it prints."""
        return run([*self.program, *words], self.environment)

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine, whatever comes of it."""
        return attempt([*self.program, *words], self.environment)

    def run(self, reference: str, *command: str) -> str:
        """Run a command in a container and return what it prints."""
        return self.call("run", *_RUN, reference, *command)

    def inspect(self, reference: str) -> dict[str, Any]:
        """Return what the engine knows of an image."""
        (image,) = json.loads(self.call("image", "inspect", reference))
        return dict(image)


@contextmanager
def podman(folder: Path) -> Iterator[Engine]:
    """Give podman with its storage in `folder`."""
    root = folder / "root"
    # It takes no longer path than 50 characters for its state.
    with TemporaryDirectory(prefix="podman-", ignore_cleanup_errors=True) as state:
        places = ("--root", str(root), "--runroot", state)
        yield Engine(
            program=("podman", *places, "--storage-driver", "overlay", "--runtime", "runc"),
            transport=f"containers-storage:[overlay@{root}+{state}]",
            environment={},
        )


@contextmanager
def docker(folder: Path) -> Iterator[Engine]:
    """Give docker with a daemon of its own, whose state is in `folder`."""
    host = f"unix://{folder}/docker.sock"
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [
                # In a mount namespace of its own: dockerd leaves mounts behind.
                *("unshare", "--mount"),
                *("dockerd", "--iptables=false", "--bridge=none", "--storage-driver=overlay2"),
                *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
                *("--host", host, "--pidfile", str(folder / "pid")),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(folder / "docker.sock", daemon)
        yield Engine(
            program=("docker",), transport="docker-daemon:", environment={"DOCKER_HOST": host}
        )
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)


def _wait_for(socket: Path, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not socket.exists():
        assert daemon.poll() is None, f"dockerd ended: see {socket.with_name('log')}"
        assert time.monotonic() < deadline, "dockerd does not listen"
        time.sleep(0.1)
