"""A whole fleet locked: the only place where indices, and artifacts not known yet, are seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.backends.artifact.first_sight import Sighting, see_artifacts
from lamina.backends.artifact.remedies import mirror_setting
from lamina.backends.deb.solver import Question, Refusal, Solution, running_solver
from lamina.backends.deb.solver_root import read_indices, solver_root, update_indices
from lamina.errors import Fault, LockError
from lamina.lock.artifacts import Sight, Sights, key_of, unseen
from lamina.lock.assembly import make_lock
from lamina.lock.difference import needed
from lamina.lock.request import used_repositories
from lamina.lock.solving import solve_images
from lamina.mirrors import find_mirrors
from lamina.model.catalog import Catalog, Repository
from lamina.model.event import Doing, Downloaded, Listener, Note
from lamina.model.image import ImageId
from lamina.model.lock import Index, Lock
from lamina.store.store import Store

_NAMED = 3  # artifacts that are said to be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where packages come from, and where their indices are kept."""

    store: Path
    mirrors: Mapping[str, str]  # as the settings have them


def lock_fleet(
    catalog: Catalog,
    previous: Lock | None,
    *,
    update: Collection[ImageId],
    source: Source,
    listener: Listener,
    layer_budget: int | None = None,
) -> Lock:
    """Return a lock for the catalogue in which every choice of `previous` stays that can.

    Solved are images that `previous` does not have or has for another request, those in `update`
    if an index has changed since, and whatever stands below one whose packages have changed.
    When nothing is to be solved no index is looked at. Artifacts that nobody has told the digest
    of are fetched and pinned as they are; those that cannot be had stay without, and are noted.
    Without a `layer_budget` that of `previous` stays. Raises `CatalogError` with the faults of
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
    solved: Mapping[ImageId, Solution] = {}
    indices: Collection[Index] = ()
    if needed(catalog, previous, update):
        solved, indices = _solved(catalog, previous, update, source, listener)
    return make_lock(
        catalog,
        solved,
        indices,
        sights=_seen(catalog, previous, source, listener),
        previous=previous,
        layer_budget=layer_budget,
    )


def _solved(
    catalog: Catalog,
    previous: Lock | None,
    update: Collection[ImageId],
    source: Source,
    listener: Listener,
) -> tuple[Mapping[ImageId, Solution], Collection[Index]]:
    """Return what the solver has chosen, and the indices that it chose from."""
    repositories = used_repositories(catalog)
    mirrors = find_mirrors([repository.name for repository in repositories], source.mirrors)
    listener(Doing(message="preparing the solver's root"))
    with solver_root(catalog.distro, repositories, mirrors, source.store) as root:
        indices = read_indices(root)
        if update or previous is None or not _was_used(indices, repositories, previous):
            listener(Doing(message="updating the package indices"))
            indices = update_indices(root)
        # An unchanged index has nothing new for an unchanged request.
        outdated = update if previous is None or indices != previous.indices else ()
        certain = frozenset(needed(catalog, previous, outdated))
        with running_solver(root) as solver:

            def ask(question: Question) -> Solution | Refusal:
                listener(Doing(message=f"solving {question.image.id}"))
                return solver.solve(question)

            return solve_images(catalog, previous, certain, ask), indices


def _seen(catalog: Catalog, previous: Lock | None, source: Source, listener: Listener) -> Sights:
    """Return what is found of the artifacts that nothing pins."""
    artifacts = unseen(catalog, previous)
    if not artifacts:
        return {}
    names = ", ".join(map(str, artifacts[:_NAMED])) + ", ..." * (len(artifacts) > _NAMED)
    listener(Doing(message=f"looking at {names}"))
    places = {artifact.source for artifact in artifacts}
    mirrors = find_mirrors(places, source.mirrors, usual=catalog.sources)
    sightings = see_artifacts(
        artifacts,
        mirrors,
        Store(source.store),
        on_progress=lambda done: listener(Downloaded(done=done, total=None)),
    )
    for fault in _lost([sighting for sighting in sightings if sighting.digest is None]):
        listener(Note(message=str(fault)))
    return {
        key_of(sighting.artifact): Sight(digest=sighting.digest, size=sighting.size)
        for sighting in sightings
        if sighting.digest
    }


def _lost(sightings: Sequence[Sighting]) -> Iterator[Fault]:
    """Yield what is wrong with a place, once for all artifacts of which the same is."""
    alike: defaultdict[tuple[str, str], list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        alike[sighting.artifact.source, sighting.why].append(sighting)
    for (place, why), (first, *others) in sorted(alike.items()):
        more = f"; likewise {', '.join(str(one.artifact) for one in others)}" if others else ""
        yield Fault(
            first.url,
            f"artifact {first.artifact} is not pinned: {why}{more}",
            mirror_setting(place, first.artifact.path),
        )


def _was_used(
    indices: Collection[Index], repositories: Collection[Repository], previous: Lock
) -> bool:
    """Tell whether the indices at hand are complete, and ones that the lock was made from."""
    suites = sum(len(repository.suites) for repository in repositories)
    return len(indices) == suites and set(indices) <= set(previous.indices)
