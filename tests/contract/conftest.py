"""Containers as the contract's programs find them: a root directory of their own, real users."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CONTRACT = Path(__file__).parents[2] / "catalog/files/contract"
NOVA, KOLLA = 42436, 42400

_ENTER = """
mount --bind /usr "$1/usr"
mount --bind "$1/local" "$1/usr/local"
mount --bind /proc "$1/proc"
mount -t tmpfs -o mode=0755 tmpfs "$1/dev"
for name in null zero full random urandom; do
    touch "$1/dev/$name"
    mount --bind "/dev/$name" "$1/dev/$name"
done
ln -s /proc/self/fd "$1/dev/fd"
root=$1 user=$2
shift 2
exec chroot --userspec="$user" "$root" "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A root directory with the host's programs, and users, files and contract of its own."""

    root: Path

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def put(
        self, path: str, text: str = "", *, mode: int = 0o644, owner: tuple[int, int] = (0, 0)
    ) -> Path:
        """Write a file, and what directories it needs."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.chown(file, *owner)
        file.chmod(mode)
        return file

    def folder(self, path: str, *, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> Path:
        """Make a directory."""
        folder = self.path(path)
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, *owner)
        folder.chmod(mode)
        return folder

    def link(self, path: str, target: str, *, owner: tuple[int, int] = (0, 0)) -> None:
        """Make a link, and what directories it needs."""
        link = self.path(path)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        os.chown(link, *owner, follow_symlinks=False)

    def state(self, path: str) -> tuple[int, int, int]:
        """Return user, group and mode of what is at a path."""
        status = self.path(path).lstat()
        return status.st_uid, status.st_gid, status.st_mode & 0o7777

    def snapshot(self) -> Mapping[str, tuple[object, ...]]:
        """Return all that can be changed, byte for byte."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = Path(folder, name)
                status = path.lstat()
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                link = str(path.readlink()) if path.is_symlink() else ""
                about = (status.st_mode, status.st_uid, status.st_gid, link, content)
                found[str(path.relative_to(self.root))] = about
        return found

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        user: int = 0,
        code: int | None = 0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the container, and expect this exit status unless it is None."""
        done = subprocess.run(
            [
                *("unshare", "--mount", "--propagation", "private", "sh", "-euc", _ENTER, "sh"),
                *(str(self.root), f"{user}:{user}", *command),
            ],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
        return done

    def configure(
        self,
        files: Sequence[Mapping[str, Any]] = (),
        permissions: Sequence[Mapping[str, Any]] = (),
        *,
        needed: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        strategy: str = "COPY_ALWAYS",
        code: int = 0,
    ) -> str:
        """Write config.json, run kolla_set_configs, and return what it says.

        `needed` are its keys `directories` and `files`.
        """
        config = {
            "command": "sleep 1",
            "config_files": files,
            **(needed or {}),
            "permissions": permissions,
        }
        self.put("/var/lib/kolla/config_files/config.json", json.dumps(config))
        return self.set_configs(strategy=strategy, code=code)

    def set_configs(
        self, *arguments: str, strategy: str = "COPY_ALWAYS", code: int | None = 0
    ) -> str:
        """Run kolla_set_configs, and return what it says."""
        environment = {"KOLLA_CONFIG_STRATEGY": strategy} if strategy else {}
        done = self.run("kolla_set_configs", *arguments, environment=environment, code=code)
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def container(tmp_path: Path) -> Container:
    root = tmp_path / "root"
    for name in ("usr", "proc", "dev", "etc", "run", "local/bin", "local/lib/kolla"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    for program in (*CONTRACT.glob("kolla_*"), *CONTRACT.glob("healthcheck_*")):
        if program.is_file():
            installed = root / "local/bin" / program.name.removesuffix(".py")
            shutil.copy(program, installed)
            installed.chmod(0o755)
    unwanted = shutil.ignore_patterns("__pycache__")
    modules = root / "local/lib/kolla/kolla_contract"
    shutil.copytree(CONTRACT / "kolla_contract", modules, ignore=unwanted)
    box = Container(root=root)
    box.put(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\n"
        f"kolla:x:{KOLLA}:{KOLLA}::/var/lib/kolla:/bin/sh\n"
        f"nova:x:{NOVA}:{NOVA}::/var/lib/nova:/bin/sh\n",
    )
    box.put("/etc/group", f"root:x:0:\nkolla:x:{KOLLA}:nova\nnova:x:{NOVA}:\n")
    box.folder("/var/lib/kolla/config_files")
    box.folder("/var/lib/nova", owner=(NOVA, NOVA))
    box.folder("/tmp", mode=0o1777)
    return box
