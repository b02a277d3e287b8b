"""The whole fleet, cold, on all cores, against the sum of plain installs in sequence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

from benchmarks.install import plain_seconds
from benchmarks.lab.ground import Ground, lamina
from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Cell, Figure, Report, say
from benchmarks.lab.usage import Usage, measure
from lamina.model.built import Built
from lamina.model.image import Image, ImageId
from lamina.settings import Settings

_MADE = ("built", "deltas", "oci")  # what a store has of images, but for units
_TEST_FAILED = 3


@benchmark("fleet", repeat=1, select="SELECT")
def main(options: Options) -> Report:
    """Measure `lamina build` as a process: cold, units at hand, with tests, nothing to do.

    A cold store has nothing but the downloads. The packages and the lock are there before. Plain
    is the sum over all images of `apt-get install` over the image's parent, one after the other,
    and mmdebstrap for an image without parent. SELECT takes a part of the fleet; without it, all is
    taken that packages alone make.
    """
    ground = Ground.in_folder(options.folder)
    images = ground.with_ancestors(ground.images(options.terms))
    built = ground.have_built(images)
    ground.fetch(images)
    names = [str(image.id) for image in images]
    runs: dict[str, list[Usage]] = {}
    plain = []
    for _ in range(options.repeat):
        plain.append(_plain(ground, images, built))
        for name, usage in _builds(ground, names):
            runs.setdefault(name, []).append(usage)
    return _report(runs, median(plain), len(images))


def _plain(ground: Ground, images: Sequence[Image], built: Mapping[ImageId, Built]) -> float:
    locked = ground.lock.by_id()
    total = 0.0
    with ground.units() as units:
        for image in images:
            if locked[image.id].units:
                say(f"plain {image.id}")
                total += plain_seconds(ground.job(image, built, units), ground)
    return total


def _builds(ground: Ground, names: Sequence[str]) -> Iterator[tuple[str, Usage]]:
    """Yield what each sort of build used, in an order in which one makes the next one's store."""
    with _cold_store(ground) as settings:
        build = lamina(settings, "build", "--no-test", *names)
        yield "cold", _run("cold", build, settings)
        yield "nothing to do", _run("nothing to do", build, settings)
        for name in _MADE:
            shutil.rmtree(settings.store / name)
        yield "units at hand", _run("units at hand", build, settings)
    with _cold_store(ground) as settings:
        build = lamina(settings, "build", *names)
        yield "cold, with tests", _run("cold, with tests", build, settings)


def _run(name: str, build: Sequence[str], settings: Settings) -> Usage:
    say(name)
    log = settings.store.with_name("build.log")
    usage = measure(build, output=log)
    if usage.code not in (0, _TEST_FAILED):
        raise AssertionError(log.read_text()[-3000:])
    return usage


@contextmanager
def _cold_store(ground: Ground) -> Iterator[Settings]:
    """Give settings with a store that has nothing but the downloads."""
    with ground.store.work_folder() as work:
        store = work / "store"
        (store / "downloads").mkdir(parents=True)
        shutil.copy(ground.store.root / "format", store)
        for download in ground.store.downloads.iterdir():
            os.link(download, store / "downloads" / download.name)
        yield replace(ground.settings, store=store)


def _report(runs: dict[str, list[Usage]], plain: float, images: int) -> Report:
    seconds = {name: median(run.seconds for run in each) for name, each in runs.items()}
    cold = runs["cold"]
    failed = any(run.code == _TEST_FAILED for each in runs.values() for run in each)
    return Report(
        benchmark="fleet",
        figures=(
            Figure(name="cold, of plain", value=seconds["cold"] / plain, goal=0.25),
            Figure(name="cold with tests, of plain", value=seconds["cold, with tests"] / plain),
            Figure(name="units at hand, of plain", value=seconds["units at hand"] / plain),
            Figure(
                name="cores busy while cold", value=median(run.cpu / run.seconds for run in cold)
            ),
            Figure(
                name="peak memory of lamina itself",
                value=max(run.memory for run in cold) / 1e6,
                unit="MB",
                goal=400.0,
            ),
            Figure(
                name="peak memory of its workers, together",
                value=max(run.workers for run in cold) / 1e6,
                unit="MB",
                goal=400.0,
            ),
        ),
        rows=tuple(_row(name, each) for name, each in runs.items()),
        notes=(
            f"{images} images; plain installs of them in sequence: {plain:.0f} s",
            *(["an image's test failed"] if failed else []),
        ),
    )


def _row(name: str, runs: Sequence[Usage]) -> dict[str, Cell]:
    return {
        "build": name,
        "s": median(run.seconds for run in runs),
        "cpu s": median(run.cpu for run in runs),
        "lamina MB": max(run.memory for run in runs) / 1e6,
        "workers MB": max(run.workers for run in runs) / 1e6,
    }


if __name__ == "__main__":
    main()
