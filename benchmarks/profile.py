"""Where the time of images goes: the steps of a build, the programs, the maintainer scripts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from threading import Event

from benchmarks.lab.ground import Ground
from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Cell, Figure, Report, say
from benchmarks.lab.sampler import Samples, sampled
from lamina.build.image import Job, build_image
from lamina.build.units import Units
from lamina.model.image import ImageId

_IMAGES = ("base", "chrony", "mariadb-server", "rabbitmq", "ceph-mon")
_PARTS = ("mount", "accounts", "unpack", "configure", "finish", "delta", "layers")
_SHOWN = 12  # programs and scripts that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Profile:
    """The seconds of one image by part of its build."""

    image: ImageId
    packages: int
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


@benchmark("profile", repeat=1, select="SELECT")
def main(options: Options) -> Report:
    """Show where the time of images goes, so that one sees what bounds it.

    `mount` is the start of the sandbox with its first small call. Units and their layers are made
    before, so `layers` is the delta's alone. Without SELECT some typical images are taken.
    """
    ground = Ground.in_folder(options.folder)
    known = {image.id.name for image in ground.catalog.images}
    terms = options.terms or tuple(name for name in _IMAGES if name in known)
    images = ground.images(terms)
    built = ground.have_built(images)
    profiles = []
    with ground.units() as units, sampled() as samples:
        for image in images:
            say(f"{image.id}")
            job = ground.job(image, built, units)
            runs = [_profile(job, ground, units) for _ in range(options.repeat)]
            profiles.append(_middle(runs))
    return _report(profiles, samples, options.repeat)


def _profile(job: Job, ground: Ground, units: Units) -> _Profile:
    steps: list[tuple[str, float]] = []

    def note(step: str) -> None:
        steps.append((_part(step, first=not steps), time.monotonic()))

    with ground.store.work_folder() as work:
        build_image(job, ground.store, units, work, stop=Event(), on_step=note)
        steps.append(("", time.monotonic()))
    parts = dict.fromkeys(_PARTS, 0.0)
    for (part, began), (_, ended) in pairwise(steps):
        parts[part] += ended - began
    return _Profile(image=job.image.id, packages=len(job.units), parts=parts)


def _part(step: str, *, first: bool) -> str:
    """Return the part of a build that a step belongs to."""
    if first:
        return "mount"
    word = step.partition(" ")[0]
    if word in _PARTS:
        return word
    return "accounts" if word in ("user", "group") else "finish"


def _middle(runs: Sequence[_Profile]) -> _Profile:
    return sorted(runs, key=lambda run: run.total)[len(runs) // 2]


def _report(profiles: Sequence[_Profile], samples: Samples, repeat: int) -> Report:
    rows: list[dict[str, Cell]] = [
        {
            "image": str(profile.image),
            "packages": float(profile.packages),
            **{f"{part} s": profile.parts[part] for part in _PARTS},
            "total s": profile.total,
            "unpack ms/package": 1000 * profile.parts["unpack"] / (profile.packages or 1),
        }
        for profile in profiles
    ]
    total = sum(profile.total for profile in profiles)
    shares = {part: sum(profile.parts[part] for profile in profiles) for part in _PARTS}
    unpacked = [row["unpack ms/package"] for row in rows if row["packages"]]
    return Report(
        benchmark="profile",
        figures=(
            *(Figure(name=f"share of {part}", value=shares[part] / total) for part in _PARTS),
            Figure(
                name="unpacking a package, median",
                value=median(float(each) for each in unpacked) / 1000 if unpacked else 0.0,
                unit="s",
            ),
        ),
        rows=tuple(rows),
        notes=(
            f"programs: {_most(samples.programs, repeat)}",
            f"scripts: {_most(samples.scripts, repeat)}",
            "programs and scripts are sampled, seconds for all images together",
        ),
    )


def _most(seconds: Mapping[str, float], repeat: int) -> str:
    shown = sorted(seconds.items(), key=lambda item: -item[1])[:_SHOWN]
    return ", ".join(f"{name} {each / repeat:.1f} s" for name, each in shown)


if __name__ == "__main__":
    main()
