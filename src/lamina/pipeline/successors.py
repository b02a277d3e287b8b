"""Names that images had before: what a namespace tells of them, and their removal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Literal

from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.pipeline.beside import read_registry_notice
from lamina.pipeline.fleet import current
from lamina.registry import Access, open_registry
from lamina.registry.together import together
from lamina.settings import Settings
from lamina.upkeep.removal import Removal, children_of, is_content_tag, remove_tags
from lamina.upkeep.successors import (
    OldName,
    notice_tag,
    old_names,
)

if TYPE_CHECKING:
    from lamina.registry.client import Registry

State = Literal["not published", "without notice", "kept", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An old name as a namespace has it."""

    name: OldName
    state: State
    until: date | None = None
    digest: Digest | None = None  # what it means, where it is published


def names_of(
    catalog: Catalog, selection: Collection[ImageId], schemes: Sequence[Scheme], *, tag: str
) -> tuple[OldName, ...]:
    """Return the old names of the selected images: those in all `schemes` but the first."""
    present, *old = schemes
    chosen = frozenset(selection)
    images = [image for image in catalog.images if image.id in chosen]
    return old_names(images, catalog.distro, present, old, tag=tag)


def ask_names(
    names: Sequence[OldName], namespace: Namespace, access: Access, *, today: date
) -> tuple[Told, ...]:
    """Return what a namespace tells of old names; raises `NetworkError`."""
    with open_registry(namespace.registry, access) as registry:
        asked = (partial(_told, registry, namespace, name, today) for name in names)
        return tuple(together(registry, asked))


def plan_removal(
    settings: Settings, told: Iterable[Told], namespace: Namespace, access: Access
) -> tuple[Removal, ...]:
    """Return what can be deleted so that expired names are gone; deletes nothing.

    What the store has of the current lock stays under an old name for as long as its successor
    does not mean it. Raises `NetworkError`.
    """
    built = {image.manifest for image in current(settings).images.values()}
    expired = [one for one in told if one.state == "expired"]
    with open_registry(namespace.registry, access) as registry:
        planned = (partial(_removal, registry, namespace, one, built) for one in expired)
        return tuple(together(registry, planned))


def remove(removals: Iterable[Removal], namespace: Namespace, access: Access) -> None:
    """Delete what is to be deleted; raises `NetworkError`, and what is gone by then is gone."""
    with open_registry(namespace.registry, access) as registry:
        for removal in removals:
            for digest in removal.digests:
                registry.delete_manifest(removal.repository, digest)


def _told(registry: Registry, namespace: Namespace, name: OldName, today: date) -> Told:
    repository = namespace.repository(name.repository)
    digest = registry.manifest_digest(repository, name.tag)
    if digest is None:
        return Told(name=name, state="not published")
    notice = read_registry_notice(registry, repository, name.tag)
    if notice is None:
        return Told(name=name, state="without notice", digest=digest)
    state: State = "expired" if notice.expired(today) else "kept"
    return Told(name=name, state=state, until=notice.until, digest=digest)


def _removal(
    registry: Registry, namespace: Namespace, told: Told, built: Collection[Digest]
) -> Removal:
    repository = namespace.repository(told.name.repository)
    tags = {
        tag: digest
        for tag in registry.tags(repository)
        if (digest := registry.manifest_digest(repository, tag))
    }
    needed = _needed_by_indices(registry, repository, set(tags.values()))
    if told.digest in built and told.digest is not None:
        successor = namespace.repository(told.name.successor)
        new, _, tag = successor.rpartition(":")
        if registry.manifest_digest(new, tag) != told.digest:
            needed[told.digest] = f"the lock's image, and {successor} does not mean it"
    name, notice = told.name.tag, notice_tag(told.name.tag)
    # A tag of a content alone says nothing that would keep it.
    contents = {tag for tag, digest in tags.items() if is_content_tag(tag, digest)}
    same = {tag for tag in contents if tags[tag] == told.digest}
    removal = remove_tags(repository, tags, {name, *same}, needed)
    if name not in removal.tags:
        return removal  # its notice stays too: it is asked about again
    last = tags.keys() <= {name, notice, *contents}
    return remove_tags(repository, tags, {name, notice, *(contents if last else same)}, needed)


def _needed_by_indices(
    registry: Registry, repository: str, digests: Iterable[Digest]
) -> dict[Digest, str]:
    """Return the manifests that indices among `digests` name, each with the reason to keep it."""
    found: dict[Digest, str] = {}
    for digest in digests:
        manifest = registry.manifest(repository, digest)
        for child in children_of(manifest.content) if manifest else ():
            found[child] = f"the index {digest} names it"
    return found
