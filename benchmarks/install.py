"""Installing an image's packages from husks, against plain apt-get over the same parent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from threading import Event

from benchmarks.lab.ground import Ground
from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Figure, Report, say
from benchmarks.lab.usage import own_cpu
from benchmarks.plain_apt import plain_install
from benchmarks.plain_base import plain_bootstrap
from lamina.build.image import Job, build_image
from lamina.build.units import Units
from lamina.errors import UsageError
from lamina.model.digest import Digest
from lamina.model.image import ImageId


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """The seconds and processor seconds of one installation each way."""

    ours: float
    theirs: float
    our_cpu: float
    their_cpu: float
    manifest: Digest  # of the image that came of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One image: the samples of its installations."""

    image: ImageId
    packages: int
    samples: tuple[_Sample, ...]

    @property
    def ours(self) -> float:
        return median(sample.ours for sample in self.samples)

    @property
    def theirs(self) -> float:
        return median(sample.theirs for sample in self.samples)

    @property
    def ratio(self) -> float:
        return median(sample.ours / sample.theirs for sample in self.samples)

    @property
    def cpu_ratio(self) -> float:
        return median(sample.our_cpu / sample.their_cpu for sample in self.samples)


@benchmark("install", repeat=1, select="SELECT")
def main(options: Options) -> Report:
    """Compare installing from husks with apt-get, image by image.

    Ours is all from the mount to the finished delta: accounts, dpkg, files, steps, the comparison
    with what lies below; units were made before. Theirs is `apt-get install` alone, packages
    downloaded and apt's cache made before; for an image without parent it is mmdebstrap. Without
    SELECT every image that has packages of its own is measured.
    """
    ground = Ground.in_folder(options.folder)
    locked = ground.lock.by_id()
    images = [image for image in ground.images(options.terms) if locked[image.id].units]
    if not images:
        raise UsageError.one("none of these images has packages of its own")
    built = ground.have_built(images)
    ground.fetch(images)
    compared = []
    with ground.units() as units:
        for image in images:
            say(f"{image.id}")
            job = ground.job(image, built, units)
            compared.append(_compare(job, ground, units, options.repeat))
    return _report(compared, {id_: image.manifest for id_, image in built.items()})


def _compare(job: Job, ground: Ground, units: Units, repeat: int) -> _Compared:
    samples = []
    for _ in range(repeat):
        # One after the other, so that the noise of the machine hits both.
        used = own_cpu()
        theirs = plain_seconds(job, ground)
        their_cpu = own_cpu() - used
        ours, our_cpu, manifest = _husks(job, ground, units)
        samples.append(
            _Sample(
                ours=ours, theirs=theirs, our_cpu=our_cpu, their_cpu=their_cpu, manifest=manifest
            )
        )
    return _Compared(image=job.image.id, packages=len(job.units), samples=tuple(samples))


def _husks(job: Job, ground: Ground, units: Units) -> tuple[float, float, Digest]:
    times: dict[str, tuple[float, float]] = {}

    def note(step: str) -> None:
        times[step] = (time.monotonic(), own_cpu())

    note("begin")
    with ground.store.work_folder() as work:
        built = build_image(job, ground.store, units, work, stop=Event(), on_step=note)
    ended, used = times["layers"]
    return ended - times["begin"][0], used - times["begin"][1], built.manifest


def plain_seconds(job: Job, ground: Ground) -> float:
    """Return the seconds that an installation without lamina takes."""
    with ground.store.work_folder() as work:
        if job.parent:
            return plain_install(job, ground.store, ground.solver_root(), work)[1]
        return plain_bootstrap(job, ground.store, work)


def _report(compared: Sequence[_Compared], before: Mapping[ImageId, Digest]) -> Report:
    changed = [
        str(each.image)
        for each in compared
        if {sample.manifest for sample in each.samples} != {before[each.image]}
    ]
    ours = sum(each.ours for each in compared)
    theirs = sum(each.theirs for each in compared)
    return Report(
        benchmark="install",
        figures=(
            Figure(name="median", value=median(each.ratio for each in compared), goal=0.4),
            Figure(name="sum", value=ours / theirs),
            Figure(name="worst", value=max(each.ratio for each in compared)),
            Figure(
                name="median of processor time", value=median(each.cpu_ratio for each in compared)
            ),
            Figure(name="lamina, all images in sequence", value=ours, unit="s"),
            Figure(name="plain, all images in sequence", value=theirs, unit="s"),
        ),
        rows=tuple(
            {
                "image": str(each.image),
                "packages": float(each.packages),
                "lamina s": each.ours,
                "plain s": each.theirs,
                "ratio": each.ratio,
                "ratio of cpu": each.cpu_ratio,
            }
            for each in compared
        ),
        notes=(
            "plain is mmdebstrap for the images without parent, apt-get for all others",
            *([f"came out different from before: {', '.join(changed)}"] if changed else []),
        ),
    )


if __name__ == "__main__":
    main()
