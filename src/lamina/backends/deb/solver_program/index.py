"""apt's cache over a set of repositories, and the status of the parent that it is opened over."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import apt_pkg  # type: ignore[import-not-found]

Json = dict[str, Any]

_HOME = Path("/var/lib/lamina")
_SOURCES = _HOME / "sources"  # one file for each repository
_STANZAS = _HOME / "stanzas"  # index entries of every package ever chosen, by the file's sha256
_WORK = _HOME / "work"


def make_folders() -> None:
    """Make the folders that the other functions write to; what an earlier run left is removed."""
    shutil.rmtree(_WORK, ignore_errors=True)
    _WORK.mkdir(parents=True)
    _STANZAS.mkdir(parents=True, exist_ok=True)


class RefusedError(Exception):
    """An image cannot be solved; holds the reasons as they are sent."""

    def __init__(self, reasons: list[Json]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


class Index:
    """apt's cache over some repositories and the status of one parent."""

    def __init__(self, repositories: Iterable[str], status: bytes) -> None:
        names = sorted(repositories)
        label = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
        # apt writes addresses in its own way: it is asked how it writes each repository's.
        self.repositories = {
            entry.uri.rstrip("/"): name for name in names for entry in sources_of([name], name).list
        }
        self.sources = sources_of(names, label)
        # apt takes a status file for unchanged when its name, time and size are: never reuse one.
        file = _WORK / f"status-{label}-{hashlib.sha256(status).hexdigest()[:16]}"
        file.write_bytes(status)
        apt_pkg.config.set("Dir::State::status", str(file))
        apt_pkg.config.set("Dir::Cache::srcpkgcache", str(_WORK / f"packages-{label}.bin"))
        apt_pkg.init_system()
        self.cache = apt_pkg.Cache(None)
        self.records = apt_pkg.PackageRecords(self.cache)
        self.installed = [p for p in self.cache.packages if p.current_ver is not None]

    def entry(self, version: apt_pkg.Version) -> Json:
        """Return what the index says of `version`, and keep its stanza."""
        for file, offset in version.file_list:
            if file.not_source:
                continue
            self.records.lookup((file, offset))
            location = self.sources.find_index(file).archive_uri("").rstrip("/")
            sha256 = self.records.hashes.find("sha256")
            digits = str(sha256).rpartition(":")[2]
            keep_stanza(digits, self.records.record)
            return {
                "name": version.parent_pkg.name,
                "version": version.ver_str,
                "architecture": version.arch,
                "repository": self.repositories[location],
                "path": self.records.filename.removeprefix("./"),
                "size": version.size,
                "sha256": digits,
            }
        raise LookupError(version.parent_pkg.name)

    def is_essential(self, package: apt_pkg.Package) -> bool:
        """Tell whether the index calls a package essential; apt's own flag has apt in it too."""
        if not package.essential:
            return False
        stanzas = (self.stanza(package.name, v.ver_str) for v in package.version_list)
        return any(stanza and "\nEssential: yes\n" in stanza for stanza in stanzas)

    def stanza(self, name: str, version: str) -> str | None:
        """Return the index's stanza of a package at one version, if it has it still."""
        if name not in self.cache:
            return None
        for candidate in self.cache[name].version_list:
            if candidate.ver_str != version:
                continue
            for file, offset in candidate.file_list:
                if not file.not_source:
                    self.records.lookup((file, offset))
                    return str(self.records.record)
        return None


def sources_of(names: Iterable[str], label: str) -> apt_pkg.SourceList:
    """Return the sources of these repositories, and let apt use no others from now on."""
    parts = _WORK / f"sources-{label}"
    parts.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(_SOURCES / f"{name}.sources", parts)
    apt_pkg.config.set("Dir::Etc::sourceparts", str(parts))
    sources = apt_pkg.SourceList()
    sources.read_main_list()
    return sources


def keep_stanza(digits: str, stanza: str) -> None:
    """Keep a stanza for the day when the index has a newer version only."""
    file = _STANZAS / digits
    if file.exists():
        return
    temporary = file.with_suffix(".new")
    temporary.write_text(stanza)
    temporary.replace(file)


def status_of(installed: list[Json], index: Callable[[], Index]) -> bytes:
    """Return a status file in which exactly `installed` is installed."""
    stanzas: list[str] = []
    lost: list[Json] = []
    for unit in sorted(installed, key=lambda unit: str(unit["name"])):
        file = _STANZAS / unit["sha256"]
        stanza = (
            file.read_text() if file.exists() else index().stanza(unit["name"], unit["version"])
        )
        if stanza is None:
            lost.append({"kind": "lost", "name": unit["name"], "version": unit["version"]})
            continue
        lines = stanza.strip("\n").split("\n")
        stanzas.append("\n".join([lines[0], "Status: install ok installed", *lines[1:]]) + "\n")
    if lost:
        raise RefusedError(lost)
    return "\n".join(stanzas).encode()
