"""What tests of the engine share: a small root of the distribution, and a folder to mount it in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import once
from tests.engine.boxes import Workbench

from lamina.mirrors import find_mirrors

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the essential packages, dpkg and perl among them; not to be changed.

    They are unpacked and not configured, which is quicker and enough to run programs.
    """
    with once(tmp_path_factory, "essential") as (folder, _):
        path = folder / "root"
        if not path.exists():
            _make_root(path)
        return path


def _make_root(path: Path) -> None:
    prefix = "LAMINA_MIRROR_"
    given = {
        name.removeprefix(prefix).lower().replace("_", "-"): address
        for name, address in os.environ.items()
        if name.startswith(prefix)
    }
    made = path.with_name("root.new")
    shutil.rmtree(made, ignore_errors=True)
    subprocess.run(
        [
            # Its mounts must not be seen here: an interrupted clean-up would walk into them.
            *("unshare", "--mount", "--fork", "--kill-child"),
            *("mmdebstrap", "--quiet", "--format=directory", "--mode=root"),
            *("--variant=extract", "--include=?essential", f"--keyring={KEYRING}"),
            *(SUITE, str(made), find_mirrors(["debian"], given).url("debian", "")),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    for name in ("passwd", "group"):
        shutil.copy(made / f"usr/share/base-passwd/{name}.master", made / "etc" / name)
    made.rename(path)


@pytest.fixture
def bench(root: Path, tmp_path: Path) -> Workbench:
    """A place to run calls in sandboxes over the root."""
    return Workbench(root=root, folder=tmp_path)
