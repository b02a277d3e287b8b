"""What tests of the engine share: a small root of the distribution, and a folder to mount it in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.engine.boxes import Workbench

from lamina.mirrors import find_mirrors

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the essential packages, dpkg and perl among them; not to be changed.

    LAMINA_TEST_FOLDER names a folder to keep and use again, which makes the next run quicker.
    """
    kept = os.environ.get("LAMINA_TEST_FOLDER")
    path = Path(kept, "essential") if kept else tmp_path_factory.mktemp("root") / "essential"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = "LAMINA_MIRROR_"
    given = {
        name.removeprefix(prefix).lower().replace("_", "-"): address
        for name, address in os.environ.items()
        if name.startswith(prefix)
    }
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=essential", "--format=directory"),
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")),
            *(f"--keyring={KEYRING}", SUITE, str(path)),
            find_mirrors(["debian"], given).url("debian", ""),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


@pytest.fixture
def bench(root: Path, tmp_path: Path) -> Workbench:
    """A place to run calls in sandboxes over the root."""
    return Workbench(root=root, folder=tmp_path)
