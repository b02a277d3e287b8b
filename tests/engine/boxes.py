"""Sandboxes for tests: calls and packages run over a small root as lamina runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from lamina.backends.deb.install import PACKAGES, UNITS, Packages, environment, install_calls
from lamina.backends.deb.unit import make_unit
from lamina.engine.sandbox import INSTALL_CAPABILITIES, Bind, Call, Result, Sandbox, prepare, run
from lamina.engine.stack import EMPTY
from lamina.engine.unit import TREE
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import DpkgCall, LockedImage, UnitRef

State = tuple[int, int, int, int, bytes]  # mode, owner, time, names, content

VARIABLES = environment(1_700_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What came of an installation."""

    calls: tuple[Call, ...]
    results: tuple[Result, ...]
    log: str
    upper: Path
    lowers: tuple[Path, ...]
    store: Path
    before: Mapping[str, State]  # what the store held before

    @property
    def good(self) -> bool:
        return len(self.results) == len(self.calls) and all(r.good for r in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """A root and a folder for sandboxes over it."""

    root: Path
    folder: Path

    def box(
        self,
        *,
        lowers: Sequence[Path] = (),
        binds: Sequence[Bind] = (),
        capabilities: tuple[int, ...] = INSTALL_CAPABILITIES,
        loopback: bool = False,
    ) -> Sandbox:
        """Prepare a sandbox in a new folder."""
        sandbox = Sandbox(
            lowers=(*lowers, self.root),
            folder=Path(mkdtemp(dir=self.folder)),
            binds=tuple(binds),
            capabilities=capabilities,
            loopback=loopback,
        )
        prepare(sandbox)
        return sandbox

    def shell(self, script: str, **options: object) -> Result:
        """Run a script in a new sandbox."""
        call = Call(argv=("/bin/sh", "-c", script), environment=VARIABLES)
        return run(self.box(**options), [call])[0]  # type: ignore[arg-type]

    def package(
        self, name: str, scripts: Mapping[str, str], files: Mapping[str, str] | None = None
    ) -> Path:
        """Make a package with dpkg-deb; files in /etc are its configuration files."""
        source = Path(mkdtemp(dir=self.folder))
        source.chmod(0o755)
        control = source / "DEBIAN"
        control.mkdir()
        (control / "control").write_text(
            f"Package: {name}\nVersion: 1.0\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@example.com>\nDescription: a package of a test\n"
        )
        conffiles = [path for path in files or {} if path.startswith("/etc/")]
        if conffiles:
            (control / "conffiles").write_text("".join(f"{path}\n" for path in conffiles))
        for script, text in scripts.items():
            (control / script).write_text(text)
            (control / script).chmod(0o755)
        for path, content in (files or {}).items():
            place = source / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        package = self.folder / f"{name}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(source), str(package)],
            check=True,
            capture_output=True,
        )
        return package

    def install(
        self,
        *packages: Path,
        above: Sequence[Path] = (),
        real: bool = False,
        capabilities: tuple[int, ...] = INSTALL_CAPABILITIES,
        loopback: bool = False,
    ) -> Installed:
        """Install packages as lamina does: a unit of each, their trees below, dpkg's calls.

        `above` are further lower directories, above the root and below the packages. With `real`
        dpkg unpacks the packages themselves.
        """
        store = Path(mkdtemp(dir=self.folder))
        units, downloads = store / "units", store / "downloads"
        units.mkdir()
        downloads.mkdir()
        refs, facts = {}, {}
        for package in packages:
            content = package.read_bytes()
            digest = Digest.of(content)
            (downloads / digest.hex).write_bytes(content)
            folder = units / digest.hex
            folder.mkdir()
            made = make_unit(package, folder, digest)
            facts[made.name] = made
            refs[made.name] = UnitRef(
                name=made.name,
                version=made.version,
                architecture=made.architecture,
                repository="test",
                path=package.name,
                size=len(content),
                digest=digest,
            )
        names = tuple(refs)
        locked = LockedImage(
            id=ImageId("test"),
            parent=None,
            request=Digest.of(b""),
            calls=(DpkgCall(action="unpack", units=names),),
        )
        given = Packages(units=refs, facts=facts, real=names if real else (), stack=EMPTY)
        trees = [] if real else [units / ref.digest.hex / TREE for ref in refs.values()]
        calls = install_calls(locked, given, (), VARIABLES)
        box = self.box(
            lowers=[*trees, *above],
            binds=[Bind(source=units, target=UNITS), Bind(source=downloads, target=PACKAGES)],
            capabilities=capabilities,
            loopback=loopback,
        )
        log = store / "log"
        before = state(store)
        results = run(box, calls, log=log)
        return Installed(
            calls=calls,
            results=results,
            log=log.read_text(errors="replace"),
            upper=box.upper,
            lowers=box.lowers,
            store=store,
            before=before,
        )


def state(folder: Path) -> Mapping[str, State]:
    """Return all there is in a store's folders, with all that a script might change."""
    return {
        str(path): (
            (status := path.lstat()).st_mode,
            status.st_uid,
            status.st_mtime_ns,
            status.st_nlink,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
        if path.name != "log"
    }


def processes_with(marker: str) -> list[str]:
    """Return the command lines of all this machine's processes that hold `marker`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if marker.encode() in line:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def mounts_of(folder: Path) -> list[str]:
    """Return the mounts of a part of `folder` in any namespace of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            continue  # it ended meanwhile
        found += [line for line in lines if str(folder) in line]
    return found
