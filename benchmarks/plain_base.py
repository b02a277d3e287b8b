"""mmdebstrap of an image's packages: what an image without parent is measured against."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from lamina.build.image import Job
from lamina.store.store import Store

_HOOKS = "/usr/share/mmdebstrap/hooks"
# It relies on links into /usr, which no package brings: as in Debian 12.
_MERGED = "usr-is-merged"


def plain_bootstrap(job: Job, store: Store, work: Path) -> float:
    """Install the image's packages into a new root by mmdebstrap; return the seconds it takes.

    The packages come from a folder on this machine, as an apt repository of just them, from
    which apt copies. Nothing of it is left.
    """
    repository = work / "repository"
    repository.mkdir()
    for ref in job.units.values():
        name = f"{ref.name}_{ref.version.replace(':', '%3a')}_{ref.architecture}.deb"
        os.link(store.download_path(ref.digest), repository / name)
    with (repository / "Packages").open("wb") as index:
        subprocess.run(
            ["dpkg-scanpackages", "--multiversion", "."],
            cwd=repository,
            stdout=index,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    names = sorted(ref.name for ref in job.units.values())
    began = time.monotonic()
    done = subprocess.run(
        [
            # What it mounts must never be there when the work folder is removed.
            *("unshare", "--mount", "--fork", "--kill-child"),
            *("mmdebstrap", "--mode=root", "--variant=essential", "--format=directory"),
            *("--dpkgopt=force-unsafe-io", f"--architectures={job.architecture}"),
            *([f"--hook-dir={_HOOKS}/merged-usr"] if _MERGED in names else []),
            f"--include={','.join(names)}",
            # The source says it all: no suite is named.
            *("", str(work / "plain-root"), f"deb [trusted=yes] copy:{repository} ./"),
        ],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(job.epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stderr[-3000:])
    return time.monotonic() - began
