"""A container as a deployment runs it: configuration mounted, health checked, stopped in time."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.whole.engines import LIMITS, Engine

from lamina.model.image import ServiceTest

CONFIG_FOLDER = "/var/lib/kolla/config_files"
_STRATEGY = {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"}
_KILLED = 137  # the exit code of what had to be killed


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One service in an engine, with what its catalogue entry says of it."""

    engine: Engine
    name: str
    reference: str
    test: ServiceTest
    config: Path  # a folder on this machine, mounted read-only
    volumes: Mapping[str, str] = field(default_factory=dict)  # where they are mounted, by name

    def bootstrap(self) -> None:
        """Run the image's bootstrap to its end."""
        variables = {**self.test.environment, **self.test.bootstrap}
        self.engine.call("run", "--rm", *self._options(variables), self.reference)

    def start(self) -> None:
        """Start the service in the background."""
        options = self._options(self.test.environment)
        self.engine.call("run", "--detach", "--name", self.name, *options, self.reference)

    def execute(self, *command: str, user: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in the container, whatever comes of it."""
        as_user = ("--user", user) if user else ()
        return self.engine.attempt("exec", *as_user, self.name, *command)

    def wait_until_healthy(self) -> None:
        """Ask the health check until it finds the service well."""
        self._wait_for(self.test.healthcheck, "")

    def ask(self) -> str:
        """Return what the service answers, as soon as it is what its entry says."""
        return self._wait_for(self.test.run, self.test.stdout)

    def stop(self) -> int:
        """Stop the service and return its exit code; being killed is none."""
        self.engine.call("stop", "--time", str(self.test.stop), self.name)
        code = int(self.state["ExitCode"])
        assert code != _KILLED, f"{self.name} did not stop in {self.test.stop} s"
        return code

    @property
    def state(self) -> Mapping[str, Any]:
        """What the engine knows of the container's process."""
        (container,) = json.loads(self.engine.call("container", "inspect", self.name))
        return dict(container["State"])

    def remove(self) -> None:
        """Remove the container, running or not, and its volumes."""
        self.engine.attempt("rm", "--force", "--volumes", self.name)
        for volume in self.volumes:
            self.engine.attempt("volume", "rm", "--force", volume)

    def _options(self, variables: Mapping[str, str]) -> Sequence[str]:
        options = ["--network", "none", *LIMITS, "--volume", f"{self.config}:{CONFIG_FOLDER}:ro"]
        for name, path in self.volumes.items():
            options += ["--volume", f"{name}:{path}"]
        for name, value in {**_STRATEGY, **variables}.items():
            options += ["--env", f"{name}={value}"]
        return options

    def _wait_for(self, command: Sequence[str], stdout: str) -> str:
        deadline = time.monotonic() + self.test.timeout
        while True:
            done = self.execute(*command)
            if done.returncode == 0 and re.search(stdout, done.stdout, re.MULTILINE):
                return done.stdout
            if time.monotonic() > deadline or not self.state["Running"]:
                log = self.engine.attempt("logs", self.name)
                raise AssertionError(f"{command}: {done}\n{log.stdout}{log.stderr}")
            time.sleep(0.1)


def mounted(folder: Path, test: ServiceTest) -> Path:
    """Write what a deployment mounts into `folder`."""
    folder.mkdir()
    for name, text in {**test.files, "config.json": test.config}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
