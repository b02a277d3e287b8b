"""Compare two images' file systems as overlayfs shows them: a program, in a mount namespace.

`unshare --mount python mounted.py SPEC` reads two lists of lower directories
and the paths to look at, and prints each path that is not the same with both sides' state.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lamina.engine.sandbox_program.mounts import MS_PRIVATE, MS_REC, mount, mount_overlay

State = dict[str, Any] | None

# Lines of accounts, in the order in which they were made. mmdebstrap leaves no moment for the
# catalogue's users between the essential packages and the others, so the order does not count.
ACCOUNTS = ("passwd", "group", "shadow", "gshadow")
# ghc-pkg writes down packages in the order in which the file system lists their files, so that two
# plain installs differ as well, on ext4 and on tmpfs. What is written must be the same.
UNORDERED = ("var/lib/ghc/package.conf.d/package.cache",)


def differences(
    ours: Iterable[Path], theirs: Iterable[Path], paths: Iterable[str], folders: Iterable[str]
) -> dict[str, tuple[State, State]]:
    """Return what differs at `paths`, and anywhere below `folders`, with both states."""
    with tempfile.TemporaryDirectory() as work:
        specification = Path(work, "spec.json")
        stacks = [[str(path) for path in lowers] for lowers in (ours, theirs)]
        content = {"stacks": stacks, "paths": sorted(set(paths)), "folders": sorted(set(folders))}
        specification.write_text(json.dumps(content))
        done = subprocess.run(
            ["unshare", "--mount", sys.executable, __file__, str(specification)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return {path: (one, other) for path, one, other in json.loads(done.stdout)}


def _mounted(lowers: list[str], folder: Path) -> Path:
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    for number, lower in enumerate(lowers):
        (folder / str(number)).symlink_to(lower)
    mount_overlay({"folder": str(folder), "lowers": len(lowers)})
    return folder / "root"


def _state(root: Path, name: str) -> State:
    path = root / name
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    state: dict[str, Any] = {
        "type": stat.filemode(status.st_mode)[0],
        "mode": oct(stat.S_IMODE(status.st_mode)),
        "owner": f"{status.st_uid}:{status.st_gid}",
        "xattrs": {
            name: os.getxattr(path, name, follow_symlinks=False).hex()
            for name in sorted(os.listxattr(path, follow_symlinks=False))
            if not name.startswith("trusted.overlay.")
        },
    }
    if stat.S_ISREG(status.st_mode):
        with path.open("rb") as file:
            if path.name in ACCOUNTS and path.parent.name == "etc":
                state["content"] = sorted(line.decode() for line in file)
            elif name in UNORDERED:
                state["content"] = hashlib.sha256(bytes(sorted(file.read()))).hexdigest()
            else:
                state["content"] = hashlib.file_digest(file, "sha256").hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        state["target"] = str(path.readlink())
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        state["device"] = status.st_rdev
    return state


def _below(root: Path, folders: list[str]) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        for place, names, files in os.walk(root / folder):
            relative = Path(place).relative_to(root)
            found.update(str(relative / name) for name in (*names, *files))
    return found


def main() -> None:
    """Mount both, compare, print."""
    specification = json.loads(Path(sys.argv[1]).read_text())
    work = Path(sys.argv[1]).parent
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    roots = [_mounted(s, work / f"side-{n}") for n, s in enumerate(specification["stacks"])]
    paths = set(specification["paths"])
    for root in roots:
        paths |= _below(root, specification["folders"])
    found = []
    for path in sorted(paths):
        one, other = (_state(root, path) for root in roots)
        if one != other:
            found.append([path, one, other])
    print(json.dumps(found))  # noqa: T201 - a program's output


if __name__ == "__main__":
    main()
