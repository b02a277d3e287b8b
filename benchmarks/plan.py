"""How long it takes to plan a fleet that is built already, and how that grows with the fleet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from statistics import median

from tests.plan.fleets import a_build, a_catalog, a_lock, a_unit, an_image

from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Figure, Report, say
from lamina.errors import UsageError
from lamina.model.plan import Plan
from lamina.plan import make_plan

_SIZES = (1_000, 10_000)  # images
_PACKAGES, _OF_AN_IMAGE = 3_000, 20


@benchmark("plan", repeat=3, select="SELECT")
def main(options: Options) -> Report:
    """Measure the plan of synthetic fleets in which nothing has changed.

    SELECT are numbers of images; without it 1,000 and 10,000 are taken. The figures are those of
    the largest, and how much longer it takes for each image than the smallest.
    """
    sizes = sorted(_chosen(options.terms))
    rows, each = [], []
    for size in sizes:
        say(f"{size} images")
        planned = _fleet(size)
        seconds = median(_seconds(planned) for _ in range(options.repeat))
        rows.append({"images": float(size), "s": seconds, "us for each": seconds / size * 1e6})
        each.append(seconds / size)
    return Report(
        benchmark="plan",
        figures=(
            Figure(
                name=f"plan of {sizes[-1]} images", value=each[-1] * sizes[-1], unit="s", goal=5
            ),
            Figure(name=f"for each image, to that of {sizes[0]}", value=each[-1] / each[0]),
        ),
        rows=tuple(rows),
        notes=(f"{_OF_AN_IMAGE} of {_PACKAGES} packages in each image",),
    )


def _chosen(terms: Sequence[str]) -> Sequence[int]:
    for term in terms:
        if not term.isdecimal() or int(term) < 1:
            raise UsageError.one(f"'{term}' is no number of images")
    return tuple(map(int, terms)) or _SIZES


def _fleet(size: int) -> Callable[[], Plan]:
    """Return what plans a fleet of `size` images, built whole."""
    chance = random.Random(7)
    names = ["base", *(f"image-{number}" for number in range(size - 1))]
    images = [an_image("base")]
    images += [
        an_image(name, names[chance.randrange(min(place + 1, 300))])
        for place, name in enumerate(names[1:])
    ]
    catalog = a_catalog(*images)
    units = [a_unit(f"package-{number}") for number in range(_PACKAGES)]
    lock = a_lock(catalog, {name: chance.sample(units, _OF_AN_IMAGE) for name in names})
    current = a_build(catalog, lock)
    wanted = [image.id for image in catalog.images]
    return lambda: make_plan(catalog, lock, current, wanted)


def _seconds(plan: Callable[[], Plan]) -> float:
    began = time.perf_counter()
    plan()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
