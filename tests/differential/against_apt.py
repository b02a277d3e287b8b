"""An image built from husks beside the same image installed by plain apt-get."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from benchmarks.plain_apt import plain_install
from benchmarks.plain_base import plain_bootstrap
from tests.differential.mounted import State, differences

from lamina.backends.deb.install import account_calls, environment
from lamina.build.image import Job
from lamina.build.lineage import finder, lineage, mountable
from lamina.build.making import unpackings
from lamina.build.units import Units
from lamina.engine import finish, sandbox
from lamina.engine.sandbox import Sandbox
from lamina.engine.stack import EMPTY
from lamina.engine.unit import TREE
from lamina.lock import read_lock
from lamina.mirrors import find_mirrors
from lamina.model.catalog import Catalog
from lamina.model.image import ImageId
from lamina.model.lock import Lock
from lamina.oci.entry import EntryKind
from lamina.oci.tree import scan_tree, scan_upper
from lamina.plan import inputs_of
from lamina.store.store import Store

EXCLUSIONS = Path(__file__).with_name("exclusions.txt")
BASE_EXCLUSIONS = Path(__file__).with_name("base-exclusions.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A built fleet: its catalogue, lock and store."""

    catalog: Catalog
    lock: Lock
    store: Store

    @classmethod
    def at(cls, catalog: Catalog, lock: Path, store: Path) -> Fleet:
        """Return the fleet in these places."""
        return cls(catalog=catalog, lock=read_lock(lock), store=Store(store))

    def root(self) -> Path:
        """Return the solver's root, whose indices plain apt-get uses too."""
        return self.store.roots / f"{self.lock.distro}-{self.lock.architecture}"


def unexplained(fleet: Fleet, id_: ImageId, work: Path) -> dict[str, tuple[State, State]]:
    """Return the paths in which a built image differs from apt-get's, but for the exclusions."""
    current = fleet.store.read_current(fleet.lock.distro).images
    built = current[id_]
    line = lineage(built, finder(fleet.store, current))
    mirrors = find_mirrors([unit.repository for unit in built.units], {})
    with Units(fleet.store, lambda _names: mirrors, jobs=2, listener=lambda _event: None) as units:
        stack = mountable(line, fleet.store, units, Event())
        below = mountable(line[:-1], fleet.store, units, Event()) if len(line) > 1 else EMPTY
        units.fetch(built.units)
        facts = units.facts(unpackings([one.units for one in line])[-1], Event())
    image = fleet.catalog.by_id()[id_]
    locked = fleet.lock.by_id()[id_]
    job = Job(
        image=image,
        locked=locked,
        units={ref.key: ref for ref in built.units},
        facts=facts,
        inputs=inputs_of(
            image, locked, distro=fleet.catalog.distro, lock=fleet.lock, parent=built.parent
        ),
        rules=fleet.catalog.distro.rules,
        distro=fleet.lock.distro,
        architecture=fleet.lock.architecture,
        parent=line[-2] if len(line) > 1 else None,
        stack=below,
        groups=fleet.lock.groups_of(locked),
    )
    delta = fleet.store.delta_path(built.manifest)
    trees = [fleet.store.unit_path(digest) / TREE for digest in built.trees.values()]
    if locked.bootstrap:
        plain_bootstrap(job, fleet.store, work)
        lowers: tuple[Path, ...] = (work / "plain-root",)
        box = _finished(job, lowers, work)
        changes = (*scan_upper(delta), *scan_upper(box.upper), *scan_tree(lowers[0]))
    else:
        box, _seconds = plain_install(job, fleet.store, fleet.root(), work)
        lowers = below.lowers
        changes = (*scan_upper(delta), *scan_upper(box.upper))
    found = differences(
        stack.lowers,
        (box.upper, *lowers),
        [entry.path for entry in (*changes, *(e for tree in trees for e in scan_tree(tree)))],
        [entry.path for entry in changes if entry.kind is EntryKind.OPAQUE],
    )
    excluded = _patterns(EXCLUSIONS if job.parent else BASE_EXCLUSIONS)
    return {path: sides for path, sides in found.items() if not excluded.fullmatch(path)}


def _finished(job: Job, lowers: tuple[Path, ...], work: Path) -> Sandbox:
    """Do over a root by mmdebstrap what lamina does beside installing: accounts, files, rules."""
    folder = work / "finish"
    folder.mkdir()
    box = Sandbox(lowers=lowers, folder=folder, binds=finish.file_binds(job.image.files))
    sandbox.prepare(box)
    variables = environment(job.epoch)
    calls = (
        *account_calls(job.image.groups, job.image.users, variables),
        *finish.finish_calls(job.image, job.rules, variables),
    )
    results = sandbox.run(box, calls, log=work / "finish.log")
    assert len(results) == len(calls), (work / "finish.log").read_text()
    assert results[-1].good, (work / "finish.log").read_text()
    return box


def _patterns(file: Path) -> re.Pattern[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    globs = [fnmatch.translate(line.lstrip("/")) for line in lines if line]
    return re.compile("|".join(globs) or "(?!)")
