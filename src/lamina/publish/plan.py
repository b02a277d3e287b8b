"""From what is to be published, and what a registry has, to what is left to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lamina.errors import Fault, NetworkError
from lamina.model.digest import Digest
from lamina.model.reference import Reference
from lamina.publish.values import (
    Holdings,
    Mount,
    Publication,
    PublishPlan,
    Tagging,
    Upload,
)


def make_plan(publications: Sequence[Publication], holdings: Holdings) -> PublishPlan:
    """Return the steps that make every reference of `publications` mean its manifest.

    A manifest that is there says nothing of its blobs, which a registry may have lost.
    What no repository is known to have is sent once, to the first one that needs it; all others
    mount it. `publications` have parents before children, and so has the plan.
    """
    uploads: list[Upload] = []
    mounts: list[Mount] = []
    contents: dict[Reference, Tagging] = {}
    tags: dict[Reference, Tagging] = {}
    homes = _homes(holdings)
    for publication in publications:
        for repository in publication.repositories:
            has = set(holdings.blobs.get(repository, ()))
            for blob in publication.blobs:
                if blob.digest in has:
                    continue
                has.add(blob.digest)
                source = homes.setdefault(blob.digest, repository)
                if source == repository:
                    uploads.append(Upload(repository=repository, blob=blob))
                else:
                    mounts.append(Mount(repository=repository, source=source, blob=blob))
            content = Reference(repository=repository, tag=publication.content_tag)
            if holdings.tags.get(content) != publication.manifest:
                contents[content] = _tagging(publication, content)
        for reference in publication.references:
            if holdings.tags.get(reference) != publication.manifest:
                tags[reference] = _tagging(publication, reference)
    return PublishPlan(
        uploads=tuple(uploads),
        mounts=tuple(mounts),
        contents=tuple(contents.values()),
        tags=tuple(tags.values()),
    )


def check_content_tags(publications: Iterable[Publication], holdings: Holdings) -> None:
    """Raise `NetworkError` when a tag that never moves was moved: somebody else did that."""
    NetworkError.raise_all(
        [
            Fault(
                str(reference),
                f"the tag stands for {publication.manifest}, but means {found}",
                "find out who moved it; delete it there, and publish again",
            )
            for publication in publications
            for repository in publication.repositories
            for reference in [Reference(repository=repository, tag=publication.content_tag)]
            for found in [holdings.tags.get(reference)]
            if found not in (None, publication.manifest)
        ]
    )


def _homes(holdings: Holdings) -> dict[Digest, str]:
    """Return for each blob a repository that has it, the same one whatever the order."""
    return {
        digest: repository
        for repository in sorted(holdings.blobs, reverse=True)
        for digest in holdings.blobs[repository]
    }


def _tagging(publication: Publication, reference: Reference) -> Tagging:
    return Tagging(
        image=publication.image,
        reference=reference,
        manifest=publication.manifest,
        manifest_size=publication.manifest_size,
        generation=publication.generation,
    )
