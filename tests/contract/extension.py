"""An image's own kolla_extend_start in a container, among programs that only note their calls."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tests.contract.conftest import CONTRACT, Container

FILES = CONTRACT.parent

_NOTE = """#!/bin/bash
{{
    printf '%s' '{name}'
    (($# == 0)) || printf ' %q' "$@"
    echo
}} >> /calls
{body}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A container that kolla_start starts, whose command is `service`."""

    container: Container

    def program(self, name: str, body: str = "") -> None:
        """Put a program in place that notes how it was called, and then does this."""
        self.container.put(f"/local/bin/{name}", _NOTE.format(name=name, body=body), mode=0o755)

    def start(
        self, command: str = "service", *, environment: Mapping[str, str], code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Start the container and return what came of it."""
        self.container.put("/run_command", command)
        self.container.put("/calls")
        return self.container.run("kolla_start", environment=environment, code=code)

    @property
    def calls(self) -> list[str]:
        """All calls of the last start, in their order, as a shell would take them."""
        return self.container.path("/calls").read_text().splitlines()


def extension(container: Container, source: str) -> Extension:
    """Return a container with the file `source` of the catalogue as its extension."""
    container.put(
        "/local/bin/kolla_extend_start", (FILES / source).read_text(encoding="utf-8"), mode=0o755
    )
    # What comes before the extension is not what is tested here.
    container.put("/local/bin/sudo", "#!/bin/sh\n", mode=0o755)
    container.folder("/var/log/kolla")
    extended = Extension(container=container)
    extended.program("service")
    return extended
