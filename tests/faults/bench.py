"""A store to be damaged, on a file system of its own, and what must hold of it afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.build.lineage import finder, lineage
from lamina.build.making import find_unit, unpackings
from lamina.model.built import Built, Layer
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef
from lamina.store.store import Store

DISTRO = "debian-13"
# A few units and no child; a large layer; a parent and its child.
IMAGES = ("cron", "memcached", "redis-base", "redis")
_PATIENCE = 300.0  # seconds for any run
_GONE = 10.0  # seconds in which the processes of a killed lamina must have ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run of lamina came to."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def outcomes(self) -> dict[str, str]:
        """Return what became of each image, as `--json` tells it."""
        document: dict[str, Any] = json.loads(self.out)
        return {one["image"]: one["outcome"] for one in document["images"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A folder with a lock and a store, in which the images are built."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "store"

    @property
    def store(self) -> Store:
        return Store(self.root)

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start lamina as the leader of a group, as a shell does."""
        settings = {"LAMINA_STORE": str(self.root), **self.environment, **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "lamina", *words],
            cwd=self.folder,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def lamina(self, *words: str, code: int = 0, **environment: str) -> Told:
        """Run lamina to its end, which must be with this exit code."""
        told = end_of(self.start(*words, **environment))
        assert told.code == code, f"{words}: {told}"
        return told

    def built(self) -> Mapping[str, Built]:
        current = self.store.read_current(DISTRO)
        assert current.faults == ()
        return {str(image): built for image, built in current.images.items()}

    def manifests(self) -> Mapping[str, Digest]:
        return {name: built.manifest for name, built in self.built().items()}

    def forget(self, *names: str) -> None:
        """Take images out of the store with all that is theirs, but for their packages."""
        for name in names:
            built = self.built()[name]
            self.store.layout.update_index(
                lambda before, manifest=built.manifest: [  # type: ignore[misc]
                    one for one in before if one.digest != manifest
                ]
            )
            self.store.discard(self.store.records.path(built.key))
            self.store.discard_delta(built.manifest)
            for digest in units_of(built):
                self.store.discard_unit(digest)
            layers = {layer.digest for layer in own_layers(built)}
            for made_of, layer in self.store.layers.all():
                if layer and layer.digest in layers:
                    self.store.discard(self.store.layers.path(made_of))
            for blob in (built.manifest, built.config, *layers):
                self.store.discard(self.store.layout.blob_path(blob))

    def package(self, image: str, name: str) -> Path:
        """Return where a package of an image lies, by the package's name."""
        return self.store.download_path(self._ref(image, name).digest)

    def unit(self, image: str, name: str) -> Digest:
        """Return the digest of an image's unit, by the package's name."""
        ref = self._ref(image, name)
        return self.built()[image].trees.get(ref.key, ref.digest)

    def _ref(self, image: str, name: str) -> UnitRef:
        (ref,) = (unit for unit in self.built()[image].units if unit.name == name)
        return ref

    def assert_nothing_is_left(self) -> None:
        """Check that neither a process nor a mount of a run is there any more."""
        deadline = time.monotonic() + _GONE
        while (left := [*self._processes(), *self._mounts()]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []

    def assert_whole(self, manifests: Mapping[str, Digest]) -> None:
        """Check that the images are there with these manifests, and all that is theirs is good."""
        built = self.built()
        assert {name: one.manifest for name, one in built.items()} == manifests
        find = finder(self.store, {one.id: one for one in built.values()})
        units = {
            unit
            for one in built.values()
            for unit in unpackings([each.units for each in lineage(one, find)])[-1]
        }
        layers = {layer.digest for one in built.values() for layer in one.layers}
        manifest_blobs = {blob for one in built.values() for blob in (one.manifest, one.config)}
        assert [one.id for one in built.values() if not self._has_delta(one)] == []
        assert [unit.ref.key for unit in units if find_unit(self.store, unit) is None] == []
        blobs = layers | manifest_blobs
        assert [blob for blob in blobs if self.store.layout.verify_blob(blob)] == []
        for folder in ("work", "locks", "oci/unfinished"):
            assert list((self.root / folder).iterdir()) == [], folder

    def assert_mended(self, manifests: Mapping[str, Digest]) -> None:
        """Check that the next build completes as if nothing had happened."""
        self.assert_nothing_is_left()
        self.lamina("build", *IMAGES)
        self.assert_whole(manifests)
        assert list((self.root / "downloads").glob("*.part")) == []
        self.assert_nothing_is_left()

    def _has_delta(self, built: Built) -> bool:
        return self.store.delta_is_intact(built.manifest)

    def _processes(self) -> Iterator[str]:
        for process in Path("/proc").glob("[0-9]*"):
            if process.name == str(os.getpid()):
                continue
            words = _content(process / "cmdline") + _content(process / "environ")
            if os.fsencode(self.root) in words:
                yield f"process {process.name}: {_content(process / 'cmdline')!r}"

    def _mounts(self) -> Iterator[str]:
        for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
            lines = _content(mounts).decode(errors="replace").splitlines()
            yield from (f"{mounts}: {line}" for line in lines if f"{self.root}/" in line)


def end_of(process: subprocess.Popen[str]) -> Told:
    """Return what came of a process and all that shares its output, which has no traceback."""
    out, err = process.communicate(timeout=_PATIENCE)
    told = Told(code=process.returncode, out=out, err=err)
    assert "Traceback" not in told.text, told.text
    assert "an error in lamina itself" not in told.text, told.text
    return told


def own_layers(built: Built) -> tuple[Layer, ...]:
    return built.layers[len(built.layers) - built.own_layers :]


def units_of(built: Built) -> frozenset[Digest]:
    """Return the digests of what may be units of an image's own packages."""
    return frozenset((*(unit.digest for unit in built.units), *built.trees.values()))


def flip_a_byte(path: Path) -> None:
    """Change one bit in the middle of a file, and neither its size nor its time."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        (byte,) = file.read(1)
        file.seek(before.st_size // 2)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def wait_until(moment: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Return as soon as `moment` is true, or the process has ended."""
    while process.poll() is None and not moment():
        pass


@contextmanager
def frozen(process: subprocess.Popen[str]) -> Iterator[None]:
    """Let no time pass for a process and its group during the block."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Moments of a build in which things go wrong."""

    bench: Bench

    def units(self) -> Callable[[], bool]:
        """Return whether units are being made."""
        before = len(list(self.bench.store.units.iterdir()))
        return lambda: len(list(self.bench.store.units.iterdir())) > before

    def configure(self, image: str) -> Callable[[], bool]:
        """Return whether dpkg configures packages of the image."""
        log = self.bench.store.log_path(DISTRO, ImageId(image))
        log.unlink(missing_ok=True)
        return lambda: b"\n## configure " in _content(log)

    def layers(self) -> Callable[[], bool]:
        """Return whether a layer is being written."""
        unfinished = self.bench.root / "oci" / "unfinished"
        return lambda: any(unfinished.iterdir())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended
        return b""
