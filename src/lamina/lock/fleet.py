"""A whole fleet locked: the only place where an index is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lamina.backends.deb.solver import Question, Refusal, Solution, running_solver
from lamina.backends.deb.solver_root import read_indices, solver_root, update_indices
from lamina.errors import LockError
from lamina.lock.assembly import make_lock
from lamina.lock.difference import needed
from lamina.lock.request import used_repositories
from lamina.lock.solving import solve_images
from lamina.mirrors import find_mirrors
from lamina.model.catalog import Catalog, Repository
from lamina.model.image import ImageId
from lamina.model.lock import Index, Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where packages come from, and where their indices are kept."""

    store: Path
    mirrors: Mapping[str, str]  # as the settings have them


Progress = Callable[[str], None]


def lock_fleet(
    catalog: Catalog,
    previous: Lock | None,
    *,
    update: Collection[ImageId],
    source: Source,
    progress: Progress,
    layer_budget: int | None = None,
) -> Lock:
    """Return a lock for the catalogue in which every choice of `previous` stays that can.

    Solved are images that `previous` does not have or has for another request, those in `update`
    if an index has changed since, and whatever stands below one whose packages have changed.
    When nothing is to be solved no index is looked at. Without a `layer_budget` that of `previous`
    stays. Raises `CatalogError` with the faults of
    every image that cannot be solved, `LockError` when `previous` is for another distribution or an
    image cannot do with so few layers, `NetworkError` when an index cannot be had.
    """
    distro = catalog.distro
    if previous and (previous.distro, previous.architecture) != (distro.name, distro.architecture):
        raise LockError.one(
            f"the lock is for {previous.distro} {previous.architecture}, "
            f"the catalogue for {distro.name} {distro.architecture}",
            remedy="give another file with --lock",
        )
    if not needed(catalog, previous, update):
        return make_lock(catalog, {}, (), previous=previous, layer_budget=layer_budget)
    repositories = used_repositories(catalog)
    mirrors = find_mirrors([repository.name for repository in repositories], source.mirrors)
    progress("preparing the solver's root")
    with solver_root(distro, repositories, mirrors, source.store) as root:
        indices = read_indices(root)
        if update or previous is None or not _was_used(indices, repositories, previous):
            progress("updating the package indices")
            indices = update_indices(root)
        # An unchanged index has nothing new for an unchanged request.
        outdated = update if previous is None or indices != previous.indices else ()
        certain = frozenset(needed(catalog, previous, outdated))
        with running_solver(root) as solver:

            def ask(question: Question) -> Solution | Refusal:
                progress(f"solving {question.image.id}")
                return solver.solve(question)

            solved = solve_images(catalog, previous, certain, ask)
    return make_lock(catalog, solved, indices, previous=previous, layer_budget=layer_budget)


def _was_used(
    indices: Collection[Index], repositories: Collection[Repository], previous: Lock
) -> bool:
    """Tell whether the indices at hand are complete, and ones that the lock was made from."""
    suites = sum(len(repository.suites) for repository in repositories)
    return len(indices) == suites and set(indices) <= set(previous.indices)
