"""What the solver is asked for each image of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from lamina.model.artifact import Artifact
from lamina.model.catalog import Catalog, Distro, Repository
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import Image, ImageId


def buildable(catalog: Catalog) -> tuple[Image, ...]:
    """Return the images that the distribution can have, in the catalogue's order.

    What stands below an image that it cannot have is left out as well.
    """
    kept: dict[ImageId, Image] = {}
    for image in catalog.images:
        if not image.unbuildable and (image.parent is None or image.parent in kept):
            kept[image.id] = image
    return tuple(kept.values())


def used_repositories(catalog: Catalog) -> tuple[Repository, ...]:
    """Return the repositories that the buildable images need, by name."""
    asked = {name for image in buildable(catalog) for name in image.repositories}
    return _chosen(catalog.distro, asked)


def repositories_by_image(catalog: Catalog) -> Mapping[ImageId, tuple[str, ...]]:
    """Return the names of the repositories from which each buildable image takes its packages.

    An image has those of its parent too: what is installed from them must stay installable.
    """
    found: dict[ImageId, tuple[str, ...]] = {}
    for image in buildable(catalog):
        inherited = found[image.parent] if image.parent else ()
        chosen = _chosen(catalog.distro, {*inherited, *image.repositories})
        found[image.id] = tuple(repository.name for repository in chosen)
    return found


def request_digest(image: Image, distro: Distro) -> Digest:
    """Return the digest of what the solver is asked for one image.

    What is installed in the parent is not part of it: that follows from the parent's own request.
    """
    return Digest.of(
        canonical_json(
            {
                "parent": str(image.parent) if image.parent else None,
                "packages": sorted(image.packages),
                "release": distro.release,
                "repositories": [
                    {
                        "name": repository.name,
                        "suites": sorted(repository.suites),
                        "components": sorted(repository.components),
                    }
                    for repository in _chosen(distro, image.repositories)
                ],
            }
        )
    )


def catalog_digest(catalog: Catalog) -> Digest:
    """Return the digest of all requests and artifacts: what a lock is made from."""
    images = buildable(catalog)
    requests = {str(image.id): str(request_digest(image, catalog.distro)) for image in images}
    artifacts = {
        str(image.id): [_plain(artifact) for artifact in image.artifacts]
        for image in images
        if image.artifacts
    }
    return Digest.of(canonical_json([requests, artifacts] if artifacts else requests))


def _plain(artifact: Artifact) -> dict[str, Any]:
    return {**asdict(artifact), "digest": str(artifact.digest) if artifact.digest else None}


def _chosen(distro: Distro, asked: Iterable[str]) -> tuple[Repository, ...]:
    names = set(asked)
    chosen = (r for r in distro.repositories if r.default or r.name in names)
    return tuple(sorted(chosen, key=lambda repository: repository.name))
