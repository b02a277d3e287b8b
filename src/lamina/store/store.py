"""The store: one folder with all that lamina has fetched and made.

Whatever comes into it is made aside and renamed when it is whole, so that a killed process leaves
nothing to repair. Several processes may use a store at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import Fault, StoreError
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.oci.claims import claimed_folder, locked, locked_name, sweep
from lamina.oci.disk import disk_faults, full_disk
from lamina.oci.layout import Layout
from lamina.store.history import History
from lamina.store.integrity import SealedFolder
from lamina.store.layers import Layers
from lamina.store.records import Current, Records

FORMAT = "2"
_MARKER = "format"
_NEW_MARKER = "format.new"
_FOLDERS = (
    *("built", "deltas", "downloads", "layers", "locks", "logs", "oci", "roots", "runs", "units"),
    "work",
)
# These hold set-user-id programs of images, which are not for the users of this machine.
_PRIVATE = ("deltas", "roots", "units", "work")
_NOT_OURS = {_NEW_MARKER, "lost+found"}  # may lie in a folder that becomes a store
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

OnWait = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Store:
    """The store in the folder `root`; `Store.open` gives one that is known to be usable."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> Store:
        """Return the store at `root`, made if the folder is new or empty.

        What dead processes left in it is removed. Raises `StoreError` when the folder holds
        something else, has another format, or cannot be written.
        """
        with disk_faults(root):
            root.mkdir(parents=True, exist_ok=True)
            with locked(root):
                _mark(root)
            for name in _FOLDERS:
                (root / name).mkdir(exist_ok=True)
            for name in _PRIVATE:
                (root / name).chmod(0o700)
            store = cls(root)
            sweep(store._work)
            sweep(root / "locks")
            store.layout.create()
        return store

    @property
    def layout(self) -> Layout:
        """The OCI image layout with all images."""
        return Layout(self.root / "oci")

    @property
    def downloads(self) -> Path:
        """The folder of downloads, each named by its digest's hex digits."""
        return self.root / "downloads"

    @property
    def units(self) -> Path:
        """The folder of units, each a folder named by its package's digest."""
        return self.root / "units"

    @property
    def deltas(self) -> Path:
        """The folder of images' upper directories, named by the manifests' digests."""
        return self.root / "deltas"

    @property
    def records(self) -> Records:
        """What is known of the images."""
        return Records(
            folder=self.root / "built", deltas=self.deltas, work=self._work, layout=self.layout
        )

    @property
    def layers(self) -> Layers:
        """The layers of units that were written before."""
        return Layers(folder=self.root / "layers", work=self._work, layout=self.layout)

    @property
    def history(self) -> History:
        """How the last builds went."""
        return History(folder=self.root / "runs", work=self._work)

    @property
    def roots(self) -> Path:
        """The folder of the solvers' roots."""
        return self.root / "roots"

    @property
    def _work(self) -> Path:
        return self.root / "work"

    def download_path(self, digest: Digest) -> Path:
        """Return where the download with this digest lies if it is there."""
        return self.downloads / digest.hex

    def unit_path(self, digest: Digest) -> Path:
        """Return where the unit made of the package with this digest lies if it is there."""
        return self.units / digest.hex

    def delta_path(self, manifest: Digest) -> Path:
        """Return where the delta of the image with this manifest lies if it is there."""
        return self.deltas / manifest.hex

    def log_path(self, distro: str, image: ImageId) -> Path:
        """Return where the log of an image's build goes; its folder is there."""
        for name in (distro, str(image)):
            if not _FILE_NAME.fullmatch(name):
                raise StoreError.one("not a name that a log can have", place=name)
        folder = self.root / "logs" / distro
        with disk_faults(self.root):
            folder.mkdir(exist_ok=True)
        return folder / f"{image}.log"

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """Give a new folder on the store's file system, removed after the block.

        A disk that gets full within the block is told as a `StoreError`.
        """
        with full_disk(self.root), claimed_folder(self._work) as folder:
            yield folder

    def exclusive(
        self, name: str, *, on_wait: OnWait | None = None
    ) -> AbstractContextManager[None]:
        """Keep every other block of this name waiting, in this process and in others.

        `on_wait` is called once if this block has to wait itself.
        """
        path = self.root / "locks" / Digest.of(name.encode()).hex
        return locked_name(path, on_wait=on_wait)

    def in_use(self, *, on_wait: OnWait | None = None) -> AbstractContextManager[None]:
        """Keep what the store has from being collected during the block."""
        return locked(self.root / _MARKER, shared=True, on_wait=on_wait)

    def alone(self, *, on_wait: OnWait | None = None) -> AbstractContextManager[None]:
        """Hold the store for the block while no other process is in a block of `in_use`."""
        return locked(self.root / _MARKER, on_wait=on_wait)

    def keep_unit(self, folder: Path, digest: Digest) -> None:
        """Move a finished unit from a work folder to its place, sealed; none may be there."""
        with disk_faults(self.root):
            self._sealed(self.unit_path(digest)).keep(folder)

    def unit_is_intact(self, digest: Digest) -> bool:
        """Tell whether the unit is there and as it was when it was made; its content is not read.

        A copied store has no intact units: they are made again from the packages.
        """
        return self._sealed(self.unit_path(digest)).is_intact()

    def discard_unit(self, digest: Digest) -> None:
        """Remove a unit."""
        self._discard_sealed(self.unit_path(digest))

    def keep_delta(self, upper: Path, manifest: Digest) -> None:
        """Move an image's upper directory from a work folder to its place, sealed.

        An intact one stays: it has the same content, and may be mounted.
        """
        with self.exclusive(f"delta-{manifest.hex}"), disk_faults(self.root):
            if not self.delta_is_intact(manifest):
                self.discard_delta(manifest)
                self._sealed(self.delta_path(manifest)).keep(upper)

    def delta_is_intact(self, manifest: Digest) -> bool:
        """Tell whether the delta is there and as it was when it was made; as `unit_is_intact`."""
        return self._sealed(self.delta_path(manifest)).is_intact()

    def discard_delta(self, manifest: Digest) -> None:
        """Remove the delta of the image with this manifest, which is built again then."""
        self._discard_sealed(self.delta_path(manifest))

    def _sealed(self, path: Path) -> SealedFolder:
        return SealedFolder(path, work=self._work)

    def _discard_sealed(self, path: Path) -> None:
        # The seal last: without one, a folder that is left counts as changed.
        self.discard(path)
        self.discard(self._sealed(path).seal)

    def discard(self, path: Path) -> None:
        """Remove a file or folder of the store in one step, if it is there."""
        with disk_faults(self.root), suppress(FileNotFoundError):
            try:
                path.unlink()
            except IsADirectoryError:
                with claimed_folder(self._work) as aside:
                    path.rename(aside / path.name)

    def save_built(self, built: Built) -> None:
        """Record an image under its key; it is not tagged by that."""
        self.records.save(built)

    def find_built(self, key: Digest) -> Built | Fault | None:
        """Return the image with this key, or why what the store has of it cannot be used."""
        return self.records.find(key)

    def read_current(self, distro: str) -> Current:
        """Return the tagged images of `distro`, and what is wrong with those that are unusable."""
        return self.records.current(distro)

    def tag(
        self, distro: str, built: Built, names: Sequence[str], annotations: Mapping[str, str]
    ) -> None:
        """Record `built` and make it the current image of its id, under `names` and no others.

        `annotations` (`kind`, `lock`) go into the index with lamina's prefix, beside those for
        the image itself. One step: other processes see the old image or this one.
        """
        self.records.save(built)
        self.records.tag(distro, built, names, annotations)


def _mark(root: Path) -> None:
    """See to it that `root`, which is locked, is a store of this format."""
    marker = root / _MARKER
    try:
        found = marker.read_text().strip()
    except FileNotFoundError:
        if {path.name for path in root.iterdir()} - _NOT_OURS:
            raise StoreError.one(
                "the folder holds something else than a store",
                place=str(root),
                remedy="give a new or an empty folder with `--store`",
            ) from None
        new = root / _NEW_MARKER
        new.write_text(f"{FORMAT}\n")
        new.rename(marker)
        return
    if found != FORMAT:
        raise StoreError.one(
            f"the store has format {found!r}, this lamina knows {FORMAT!r}",
            place=str(root),
            remedy="use the lamina that made it, or give another folder with `--store`",
        )
