"""How long it takes to decide on the layers of a large fleet, and how much is stored twice."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Cell, Figure, Report, say
from benchmarks.lab.synthetic import synthetic_fleet
from lamina.errors import UsageError
from lamina.layering import Content, Layering, lower_bound, make_layering, stored_bytes
from lamina.model.image import ImageId
from lamina.model.lock import LAYER_BUDGET

IMAGES, PACKAGES = 1000, 5000
_BUDGETS = (30, LAYER_BUDGET, 120)


@benchmark("layering", repeat=3, select="SELECT")
def main(options: Options) -> Report:
    """Measure the layering of a synthetic fleet of 1,000 images, anew and from itself.

    SELECT are layer budgets; without it some usual ones are taken. The figures are those of the
    default one.
    """
    fleet = synthetic_fleet(IMAGES, PACKAGES)
    budgets = sorted({LAYER_BUDGET, *_chosen(options.terms)})
    rows, figures = [], []
    for budget in budgets:
        say(f"a budget of {budget} layers")
        layering = make_layering(fleet, budget=budget)
        seconds = median(_seconds(fleet, budget, None) for _ in range(options.repeat))
        again = median(_seconds(fleet, budget, layering) for _ in range(options.repeat))
        row = _row(fleet, layering, budget)
        rows.append({**row, "s": seconds, "again s": again})
        if budget == LAYER_BUDGET:
            ratio = stored_bytes(layering, fleet) / lower_bound(fleet)
            figures = [
                Figure(name=f"layering of {IMAGES} images", value=seconds, unit="s", goal=10),
                Figure(name="the same from its own result", value=again, unit="s", goal=10),
                Figure(name="peak memory", value=_peak(fleet, budget), unit="MB", goal=1000),
                Figure(name="unique bytes to lower bound", value=ratio, goal=1.05),
            ]
    units = {unit.key for content in fleet for unit in content.units}
    return Report(
        benchmark="layering",
        figures=tuple(figures),
        rows=tuple(rows),
        notes=(
            f"{len(units)} packages of {lower_bound(fleet) / 1e6:.0f} MB, deltas left out",
            f"medians of {options.repeat} runs; peak memory is what Python allocates in one",
        ),
    )


def _chosen(terms: Sequence[str]) -> Sequence[int]:
    for term in terms:
        if not term.isdecimal():
            raise UsageError.one(f"'{term}' is no number of layers")
    return tuple(map(int, terms)) or _BUDGETS


def _seconds(fleet: Sequence[Content], budget: int, previous: Layering | None) -> float:
    began = time.perf_counter()
    make_layering(fleet, budget=budget, previous=previous)
    return time.perf_counter() - began


def _peak(fleet: Sequence[Content], budget: int) -> float:
    """Return the peak of a run's memory, in MB: a run of its own, since tracing slows it down."""
    tracemalloc.start()
    make_layering(fleet, budget=budget)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def _row(fleet: Sequence[Content], layering: Layering, budget: int) -> Mapping[str, Cell]:
    depths = _layers(fleet, layering)
    return {
        "budget": float(budget),
        "layers": float(len(layering.groups)),
        "median image": float(median(depths)),
        "largest image": float(max(depths)),
        "stored MB": stored_bytes(layering, fleet) / 1e6,
        "ratio": stored_bytes(layering, fleet) / lower_bound(fleet),
    }


def _layers(fleet: Sequence[Content], layering: Layering) -> Sequence[int]:
    """Return how many layers each image has, its ancestors' and all deltas included."""
    totals: dict[ImageId | None, int] = {None: 0}
    for content in fleet:  # parents come first
        own = len(layering.images[content.image]) + 1
        totals[content.image] = totals[content.parent] + own
    return [totals[content.image] for content in fleet]


if __name__ == "__main__":
    main()
