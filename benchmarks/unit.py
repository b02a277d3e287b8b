"""Making a unit, seal included, against `dpkg-deb -x` of the same package."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median

from benchmarks.lab.ground import Ground
from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Figure, Report, say
from benchmarks.lab.usage import own_cpu
from lamina.backends.deb.unit import make_unit
from lamina.engine.unit import FACTS
from lamina.model.digest import Digest
from lamina.model.lock import UnitRef
from lamina.store.integrity import check_download
from lamina.store.store import Store

_WORST = 12  # packages that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """The seconds that one package takes, medians, by lamina and by dpkg-deb."""

    unit: UnitRef
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


@benchmark("unit", repeat=3, select="PACKAGE")
def main(options: Options) -> Report:
    """Compare the making of units with `dpkg-deb -x` over packages of the lock.

    Both start from a package that is in memory's cache and was verified. PACKAGE is a name or a
    glob; packages that are not downloaded yet are fetched.
    """
    ground = Ground.in_folder(options.folder)
    refs = [
        ref
        for _, ref in sorted(ground.lock.units.items())
        if not ref.recipe  # an artifact's file is none of dpkg-deb's
        if not options.terms or any(fnmatchcase(ref.name, term) for term in options.terms)
    ]
    with ground.units() as units:
        units.fetch(refs)
    cpu = [0.0, 0.0]
    with ground.store.work_folder() as work:
        scratch = Store.open(work / "store")
        compared = [
            _compare(ref, ground.store, scratch, work, options.repeat, cpu) for ref in _told(refs)
        ]
    return _report(compared, cpu)


def _told(refs: Sequence[UnitRef]) -> Sequence[UnitRef]:
    say(f"{len(refs)} packages")
    return refs


def _compare(
    ref: UnitRef, store: Store, scratch: Store, work: Path, repeat: int, cpu: list[float]
) -> _Compared:
    package = store.download_path(ref.digest)
    check_download(package, ref.digest, ref.size)  # which also brings it into the cache
    ours, theirs = [], []
    for _ in range(repeat):
        # One after the other, so that the noise of the machine hits both.
        ours.append(_timed(0, cpu, lambda: _make(package, ref.digest, scratch)))
        scratch.discard_unit(ref.digest)
        theirs.append(_timed(1, cpu, lambda: _extract(package, work / "plain")))
        shutil.rmtree(work / "plain")
    return _Compared(unit=ref, ours=median(ours), theirs=median(theirs))


def _timed(side: int, cpu: list[float], work: Callable[[], None]) -> float:
    used, began = own_cpu(), time.monotonic()
    work()
    seconds = time.monotonic() - began
    cpu[side] += own_cpu() - used
    return seconds


def _make(package: Path, digest: Digest, scratch: Store) -> None:
    """Make a unit as a build does, its package verified before."""
    with scratch.work_folder() as work:
        folder = work / "unit"
        folder.mkdir()
        facts = make_unit(package, folder, digest)
        (folder / FACTS).write_text(facts.to_json())
        scratch.keep_unit(folder, digest)


def _extract(package: Path, folder: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)


def _report(compared: Sequence[_Compared], cpu: Sequence[float]) -> Report:
    worst = sorted(compared, key=lambda each: -each.ratio)
    slowest = sorted(compared, key=lambda each: -each.ours)
    shown = dict.fromkeys((*worst[: _WORST // 2], *slowest[: _WORST // 2]))
    ours, theirs = sum(each.ours for each in compared), sum(each.theirs for each in compared)
    return Report(
        benchmark="unit",
        figures=(
            Figure(name="median", value=median(each.ratio for each in compared), goal=1.5),
            Figure(name="total", value=ours / theirs, goal=1.5),
            Figure(name="worst", value=worst[0].ratio),
            Figure(name="total of processor time", value=cpu[0] / cpu[1]),
            Figure(name="lamina, all packages", value=ours, unit="s"),
            Figure(name="dpkg-deb -x, all packages", value=theirs, unit="s"),
        ),
        rows=tuple(
            {
                "package": each.unit.name,
                "MB": (each.unit.size or 0) / 1e6,
                "lamina s": each.ours,
                "dpkg-deb s": each.theirs,
                "ratio": each.ratio,
            }
            for each in shown
        ),
        notes=(
            f"{len(compared)} packages; shown are those of the worst ratio, then the slowest",
            "for each package the median of its repetitions",
        ),
    )


if __name__ == "__main__":
    main()
