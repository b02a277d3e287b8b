"""Small fleets to be published."""

from __future__ import annotations

from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.reference import Reference
from lamina.publish import Blob, Holdings, Publication


def blob(name: str, size: int = 10) -> Blob:
    return Blob(digest=Digest.of(name.encode()), size=size)


def publication(
    name: str, layers: str, *, names: tuple[str, ...] = (), generation: int = 0
) -> Publication:
    """Return an image with one layer for each letter, its configuration called like itself."""
    references = tuple(Reference(repository=f"fleet/{one}", tag="latest") for one in (name, *names))
    return Publication(
        image=ImageId(name),
        manifest=Digest.of(f"{name} of {layers}".encode()),
        manifest_size=100,
        blobs=(blob(name), *(blob(letter, 1000) for letter in layers)),
        references=references,
        generation=generation,
    )


def tags_of(one: Publication) -> dict[Reference, Digest]:
    """Return all tags of a publication, as they mean its manifest."""
    contents = {Reference(repository=name, tag=one.content_tag) for name in one.repositories}
    return dict.fromkeys((*one.references, *contents), one.manifest)


def holding(*publications: Publication) -> Holdings:
    """Return what a registry has in which these were published."""
    return Holdings(
        tags={tag: digest for one in publications for tag, digest in tags_of(one).items()},
        blobs={
            name: frozenset(blob.digest for blob in one.blobs)
            for one in publications
            for name in one.repositories
        },
    )
