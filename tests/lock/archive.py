"""A small signed package repository, made with Debian's own tools."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


def run(arguments: Sequence[str | Path], folder: Path) -> bytes:
    return subprocess.run(arguments, cwd=folder, check=True, capture_output=True).stdout


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key to sign with: gpg's folder that holds it, and its public half in a file."""

    home: Path
    public: Path

    def sign(self, file: Path, signed: Path) -> None:
        sign: list[str | Path] = ["gpg", "--homedir", self.home, "--batch", "--yes", "--clearsign"]
        run([*sign, "--output", signed, file], self.home)


@contextmanager
def new_key() -> Iterator[Key]:
    # A short path: gpg's agent makes sockets in it.
    with TemporaryDirectory(prefix="lamina-gpg-") as folder:
        home = Path(folder)
        gpg = ["gpg", "--homedir", folder, "--batch", "--quiet", "--passphrase", ""]
        run([*gpg, "--quick-gen-key", "Test <test@example>", "ed25519", "sign", "never"], home)
        key = Key(home=home, public=home / "key.asc")
        key.public.write_bytes(run([*gpg, "--armor", "--export"], home))
        try:
            yield key
        finally:
            run(["gpgconf", "--homedir", folder, "--kill", "all"], home)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The repository: one suite, `stable`, for all architectures."""

    folder: Path
    key: Key

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def add(self, name: str, version: str, **relations: str) -> Path:
        """Make a package without files; `relations` are further control fields."""
        control = self.folder / "work" / name / "DEBIAN" / "control"
        control.parent.mkdir(parents=True, exist_ok=True)
        fields = {
            "Package": name,
            "Version": version,
            "Architecture": "all",
            "Maintainer": "Test <test@example>",
            "Description": "a package for tests",
            **{key.replace("_", "-"): value for key, value in relations.items()},
        }
        control.write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
        file = self.folder / "pool" / f"{name}_{version}_all.deb"
        file.parent.mkdir(exist_ok=True)
        run(["dpkg-deb", "--build", control.parents[1], file], self.folder)
        return file

    def withdraw(self, name: str, version: str) -> None:
        (self.folder / "pool" / f"{name}_{version}_all.deb").unlink()

    def publish(self) -> None:
        """Make the index of what is in the pool, and sign it."""
        suite = self.folder / "dists" / "stable"
        packages = suite / "main" / "binary-amd64" / "Packages"
        packages.parent.mkdir(parents=True, exist_ok=True)
        packages.write_bytes(run(["apt-ftparchive", "packages", "pool"], self.folder))
        facts = {"Suite": "stable", "Codename": "stable", "Components": "main"}
        facts |= {"Origin": "test", "Architectures": "amd64"}
        options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in facts.items()]
        (suite / "Release").unlink(missing_ok=True)
        (suite / "InRelease").unlink(missing_ok=True)
        release = run(["apt-ftparchive", *options, "release", "dists/stable"], self.folder)
        (suite / "Release").write_bytes(release)
        self.key.sign(suite / "Release", suite / "InRelease")
