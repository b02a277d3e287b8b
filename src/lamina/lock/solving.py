"""Which images the solver is asked about, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from lamina.backends.deb.solver import Question, Refusal, Solution
from lamina.errors import CatalogError, Fault
from lamina.lock.assembly import installed_units
from lamina.lock.request import buildable, repositories_by_image
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock, UnitRef


def solve_images(
    catalog: Catalog,
    previous: Lock | None,
    certain: Collection[ImageId],
    ask: Callable[[Question], Solution | Refusal],
) -> Mapping[ImageId, Solution]:
    """Return the solutions of the `certain` images and of those whose parent came out changed.

    Every other image must be in `previous`. Raises `CatalogError` with the faults of all images
    that cannot be solved; what stands below one of them is not asked about.
    """
    repositories = repositories_by_image(catalog)
    known = previous.by_id() if previous else {}
    units = previous.units if previous else {}
    solved: dict[ImageId, Solution] = {}
    installed: dict[ImageId, tuple[UnitRef, ...]] = {}
    faults: list[Fault] = []
    for image in _by_parent(buildable(catalog)):
        if image.parent is not None and image.parent not in installed:
            continue  # its parent's fault is told
        parent = installed[image.parent] if image.parent else None
        before = None
        if image.parent is not None and image.parent in known:
            before = installed_units(image.parent, known, units)
        if image.id in certain or parent != before:
            answer = ask(
                Question(image=image, installed=parent, repositories=repositories[image.id])
            )
            if isinstance(answer, Refusal):
                faults += answer.faults
                continue
            solved[image.id] = answer
            own = answer.units
        else:
            own = tuple(units[key] for key in known[image.id].packaged)
        installed[image.id] = tuple(sorted([*(parent or ()), *own]))
    CatalogError.raise_all(faults)
    return solved


def _by_parent(images: Collection[Image]) -> list[Image]:
    """Return the images parents first, those of one parent together: apt opens its index once."""
    depths: dict[ImageId, int] = {}
    for image in images:
        depths[image.id] = depths[image.parent] + 1 if image.parent else 0
    return sorted(images, key=lambda image: (depths[image.id], str(image.parent), str(image.id)))
