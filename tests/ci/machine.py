"""A machine for the jobs of a pipeline: this one, with stand-ins for what would change it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import AS_INSTALLED

# lamina is not installed anew for every job: the environment of the tests has it.
_PYTHON = f"""\
#!/bin/bash
if [[ $1 == -m && $2 == venv ]]; then
    mkdir -p "$3/bin"
    printf '#!/bin/bash\\necho "pip $*" >>"$INSTALLED"\\n' >"$3/bin/pip"
    printf '#!/bin/bash\\nexec {sys.executable} -m lamina "$@"\\n' >"$3/bin/lamina"
    chmod 755 "$3/bin/pip" "$3/bin/lamina"
    exit 0
fi
exec /usr/bin/python3 "$@"
"""
_APT_GET = """\
#!/bin/bash
echo "apt-get $*" >>"$INSTALLED"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a script came to."""

    code: int
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Runs scripts; what they install is written down in `installed`."""

    folder: Path

    @property
    def installed(self) -> Path:
        return self.folder / "installed"

    def run(
        self,
        script: str,
        workspace: Path,
        environment: Mapping[str, str],
        *,
        path: Sequence[str] = (),
    ) -> Ran:
        """Run a script as both systems do: in bash, and the first failure ends it."""
        commands = self.folder / "bin"
        if not commands.exists():
            commands.mkdir(parents=True)
            for name, text in (("python3", _PYTHON), ("apt-get", _APT_GET)):
                (commands / name).write_text(text)
                (commands / name).chmod(0o755)
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        usual = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
        passed = {name: text for name, text in AS_INSTALLED.items() if name.startswith("PYTHON")}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=workspace,
            env={
                **passed,
                **environment,
                "INSTALLED": str(self.installed),
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(scratch),
                "PATH": os.pathsep.join((*reversed(path), str(commands), *usual)),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ran(code=done.returncode, output=done.stdout)

    def trust(self, address: str, certificate: Path) -> None:
        """Let container tools and lamina trust a registry, where both look for it."""
        folder = self.folder / "home/.config/containers/certs.d" / address
        folder.mkdir(parents=True)
        shutil.copy(certificate, folder / "ca.crt")

    def left_over(self) -> list[str]:
        """Return what scripts have left of their own in the folder for temporary files."""
        scratch = self.folder / "tmp"
        return sorted(path.name for path in scratch.iterdir()) if scratch.exists() else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How a job of a pipeline went."""

    outcome: str  # `success`, `failure`, `skipped`
    output: str = ""
    steps: tuple[str, ...] = ()  # names of what was done, as far as steps have names
    outputs: Mapping[str, str] | None = None
