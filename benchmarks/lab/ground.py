"""The ground that benchmarks stand on: a fleet that is locked, fetched and built beforehand."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from benchmarks.lab.report import say
from lamina.build.image import Job
from lamina.build.lineage import finder, lineage, mountable
from lamina.build.making import unpackings
from lamina.build.units import Units
from lamina.engine.stack import EMPTY
from lamina.lock import check_lock, read_lock
from lamina.mirrors import find_mirrors
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock
from lamina.model.selection import select, with_ancestors, with_descendants
from lamina.pipeline import fleet
from lamina.plan import inputs_of, obstacles
from lamina.settings import Flags, Settings, Surroundings, read_settings
from lamina.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A fleet in a folder of its own."""

    settings: Settings
    catalog: Catalog
    lock: Lock
    store: Store

    @classmethod
    def in_folder(cls, folder: Path) -> Ground:
        """Return the fleet in `folder`, locked first where there is no lock that fits."""
        folder.mkdir(parents=True, exist_ok=True)
        flags = Flags(store=folder / "store", lock=folder / "lamina.lock.json")
        settings = read_settings(flags, surroundings())
        catalog = fleet.load(settings)
        root = settings.store / "roots" / f"{settings.distro}-{settings.architecture}"
        if not root.is_dir() or not _fits(catalog, settings.lock):
            say("locking the fleet")
            # Updated as a whole, so that plain apt finds every version in the same indices.
            command = lamina(settings, "lock", "--update")
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        lock = read_lock(settings.lock)
        return cls(settings=settings, catalog=catalog, lock=lock, store=Store.open(settings.store))

    def images(self, terms: Sequence[str]) -> tuple[Image, ...]:
        """Return the images that `terms` select and that can be built, parents first.

        Without terms these are all that packages alone make: plain apt could make no others, and
        the places of artifacts may be out of reach.
        """
        selection = frozenset(select(self.catalog, terms))
        left_out = set(obstacles(self.catalog))
        if not terms:
            fed = [image.id for image in self.catalog.images if image.artifacts]
            left_out.update(with_descendants(self.catalog, fed))
        return tuple(
            image
            for image in self.catalog.images
            if image.id in selection and image.id not in left_out
        )

    def with_ancestors(self, images: Collection[Image]) -> tuple[Image, ...]:
        """Return `images` and all that they stand on, parents first."""
        by_id = self.catalog.by_id()
        return tuple(
            by_id[id_] for id_ in with_ancestors(self.catalog, [image.id for image in images])
        )

    def have_built(self, images: Sequence[Image]) -> Mapping[ImageId, Built]:
        """Build what is missing of `images` and of all that they stand on; return what is built."""
        names = [str(image.id) for image in images]
        subprocess.run(
            lamina(self.settings, "build", "--no-test", *names),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return self.store.read_current(self.lock.distro).images

    @contextmanager
    def units(self) -> Iterator[Units]:
        """Give the units of the fleet."""
        with Units(
            self.store,
            lambda names: find_mirrors(names, self.settings.mirrors, usual=self.catalog.sources),
            jobs=self.settings.jobs,
            listener=lambda _event: None,
        ) as units:
            yield units

    def fetch(self, images: Collection[Image]) -> None:
        """Have the packages of `images` in the store."""
        locked = self.lock.by_id()
        refs = {ref.key: ref for image in images for ref in self.lock.units_of(locked[image.id])}
        with self.units() as units:
            units.fetch(tuple(refs.values()))

    def solver_root(self) -> Path:
        """Return the root of the distribution, whose package indices plain apt-get uses."""
        return self.store.roots / f"{self.lock.distro}-{self.lock.architecture}"

    def job(self, image: Image, built: Mapping[ImageId, Built], units: Units) -> Job:
        """Return what an image is built from, over its parent in `built`, its units made."""
        locked = self.lock.by_id()[image.id]
        refs = self.lock.units_of(locked)
        line: tuple[Built, ...] = ()
        if image.parent:
            line = lineage(built[image.parent], finder(self.store, built))
        stack = mountable(line, self.store, units, Event()) if line else EMPTY
        wanted = unpackings([*(one.units for one in line), refs])[-1]
        units.supply(wanted)
        return Job(
            image=image,
            locked=locked,
            units={ref.key: ref for ref in refs},
            facts=units.facts(wanted, Event()),
            inputs=inputs_of(
                image,
                locked,
                distro=self.catalog.distro,
                lock=self.lock,
                parent=line[-1].manifest if line else None,
            ),
            rules=self.catalog.distro.rules,
            distro=self.lock.distro,
            architecture=self.lock.architecture,
            parent=line[-1] if line else None,
            stack=stack,
            groups=self.lock.groups_of(locked),
        )


def surroundings() -> Surroundings:
    """Return what this process has around it."""
    return Surroundings(
        environment=os.environ,
        folder=Path.cwd(),
        cores=len(os.sched_getaffinity(0)),
        machine=platform.machine(),
    )


def _fits(catalog: Catalog, lock: Path) -> bool:
    return lock.exists() and not check_lock(catalog, read_lock(lock))


def lamina(settings: Settings, *words: str) -> list[str]:
    """Return the arguments that run lamina in the settings' store with their lock."""
    places = ("--store", str(settings.store), "--lock", str(settings.lock))
    return [sys.executable, "-m", "lamina", *words, *places]
