"""Asking a registry what it has of what is to be published, before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from lamina.model.digest import Digest
from lamina.model.reference import Reference
from lamina.publish.plan import check_content_tags, make_plan
from lamina.publish.values import Holdings, Neighbour, Publication, Upload
from lamina.registry.client import Registry
from lamina.registry.together import together
from lamina.registry.values import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What was learnt of one repository."""

    repository: str
    tags: dict[Reference, Digest]
    blobs: frozenset[Digest]


def ask(
    registry: Registry, publications: Sequence[Publication], neighbours: Sequence[Neighbour]
) -> Holdings:
    """Return what the registry has, as far as a plan for `publications` needs it.

    Each blob that the manifests of these names say is there is asked for, once: a registry may
    have lost it. What they do not say is looked for in the manifests of `neighbours`, then asked
    for blob by blob: a publication that was killed has left blobs without manifest.
    Raises `NetworkError` when a tag that never moves was moved.
    """
    said = _with(
        Holdings(),
        together(
            registry,
            (
                partial(_ask_names, registry, publication, repository)
                for publication in publications
                for repository in publication.repositories
            ),
        ),
    )
    check_content_tags(publications, said)
    lost = _lost(registry, publications, said)
    holdings = _without(said, lost)
    missing = {upload.blob.digest for upload in make_plan(publications, holdings).uploads}
    asked = (
        partial(_ask_neighbour, registry, neighbour.reference)
        for neighbour in neighbours
        if neighbour.blobs & missing
    )
    holdings = _with(holdings, together(registry, asked))
    uploads = [
        one
        for one in make_plan(publications, holdings).uploads
        if (one.repository, one.blob.digest) not in lost
    ]
    return _with(
        holdings, together(registry, (partial(_ask_blob, registry, one) for one in uploads))
    )


def _lost(
    registry: Registry, publications: Sequence[Publication], said: Holdings
) -> frozenset[tuple[str, Digest]]:
    """Return the blobs of publications that a repository is said to have, and does not.

    Registries keep a blob once for all repositories: each is asked for in one of them, and in the
    others only when it is not there.
    """
    keepers: dict[Digest, dict[str, None]] = {}
    for publication in publications:
        for repository in publication.repositories:
            for blob in publication.blobs:
                if blob.digest in said.blobs[repository]:
                    keepers.setdefault(blob.digest, {})[repository] = None
    first = [(next(iter(repositories)), digest) for digest, repositories in keepers.items()]
    missing = _missing(registry, first)
    further = [
        (repository, digest)
        for _, digest in missing
        for repository in keepers[digest]
        if (repository, digest) not in missing
    ]
    return frozenset((*missing, *_missing(registry, further)))


def _missing(
    registry: Registry, asked: Sequence[tuple[str, Digest]]
) -> tuple[tuple[str, Digest], ...]:
    """Return those of the blobs that the repository does not have."""
    found = together(registry, (partial(registry.has_blob, *one) for one in asked))
    return tuple(one for one, there in zip(asked, found, strict=True) if not there)


def _without(holdings: Holdings, lost: Collection[tuple[str, Digest]]) -> Holdings:
    """Return what is known when these blobs are not there."""
    blobs = {
        repository: frozenset(one for one in digests if (repository, one) not in lost)
        for repository, digests in holdings.blobs.items()
    }
    return Holdings(tags=holdings.tags, blobs=blobs)


def _ask_names(registry: Registry, publication: Publication, repository: str) -> _Answer:
    """Ask for the names of a publication in one repository."""
    own = [one for one in publication.references if one.repository == repository]
    content = Reference(repository=repository, tag=publication.content_tag)
    tags = {content: registry.manifest_digest(repository, content.tag)}
    if tags[content] is not None:
        tags |= {one: registry.manifest_digest(repository, one.tag) for one in own}
        blobs = {blob.digest for blob in publication.blobs}
    else:
        found = {one: registry.manifest(repository, one.tag) for one in own}
        tags |= {one: manifest.digest if manifest else None for one, manifest in found.items()}
        blobs = {digest for manifest in found.values() for digest in _blobs_of(manifest)}
    return _Answer(
        repository=repository,
        tags={one: digest for one, digest in tags.items() if digest},
        blobs=frozenset(blobs),
    )


def _ask_neighbour(registry: Registry, reference: Reference) -> _Answer:
    manifest = registry.manifest(reference.repository, reference.tag)
    return _Answer(repository=reference.repository, tags={}, blobs=_blobs_of(manifest))


def _ask_blob(registry: Registry, upload: Upload) -> _Answer:
    has = registry.has_blob(upload.repository, upload.blob.digest)
    blobs = frozenset({upload.blob.digest}) if has else frozenset()
    return _Answer(repository=upload.repository, tags={}, blobs=blobs)


def _blobs_of(manifest: Manifest | None) -> frozenset[Digest]:
    """Return the blobs that a manifest names; none of what lamina did not put there."""
    try:
        return frozenset(blob.digest for blob in manifest.blobs()) if manifest else frozenset()
    except ValueError:
        return frozenset()


def _with(holdings: Holdings, answers: Iterable[_Answer]) -> Holdings:
    """Return what is known with the answers, too."""
    tags, blobs = dict(holdings.tags), dict(holdings.blobs)
    for answer in answers:
        tags |= answer.tags
        blobs[answer.repository] = blobs.get(answer.repository, frozenset()) | answer.blobs
    return Holdings(tags=tags, blobs=blobs)
