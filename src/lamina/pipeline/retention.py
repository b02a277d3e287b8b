"""What of the past a namespace keeps: content tags by count and age, and all that is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.cache import recorded_manifest
from lamina.errors import UsageError
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.names import Scheme, print_names
from lamina.model.reference import Namespace
from lamina.pipeline.beside import read_ledger, update_ledger
from lamina.pipeline.fleet import current
from lamina.registry import Access, open_registry
from lamina.registry.together import together
from lamina.settings import Settings
from lamina.upkeep.ledger import REPOSITORY, without
from lamina.upkeep.removal import (
    Removal,
    Retention,
    children_of,
    is_content_tag,
    outdated,
    remove_tags,
)

if TYPE_CHECKING:
    from lamina.registry.client import Registry

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What of the past is asked about."""

    namespace: Namespace
    schemes: Sequence[Scheme]  # of the names whose repositories are meant
    retention: Retention
    pinned: Sequence[Path]  # files of digests that are still used


def plan_pruning(
    settings: Settings,
    catalog: Catalog,
    selection: Iterable[ImageId],
    past: Past,
    access: Access,
    *,
    now: datetime,
) -> tuple[Removal, ...]:
    """Return what the repositories of the selected images need no more; deletes nothing.

    Needed is what any tag means that is no content tag, what an index names, what the store has
    of the lock, and every digest in a pinned file. Raises `UsageError` for a file that cannot be
    read, `NetworkError`.
    """
    needed = {built.manifest: "the lock" for built in current(settings).images.values()}
    for file in past.pinned:
        needed |= {digest: str(file) for digest in _digests(file)}
    chosen = frozenset(selection)
    repositories = {
        past.namespace.reference(name).repository: None
        for image in catalog.images
        if image.id in chosen
        for scheme in past.schemes
        for name in print_names(image, catalog.distro, scheme, tag="latest")
    }
    with open_registry(past.namespace.registry, access) as registry:
        published = _published(registry, past.namespace)
        plan = partial(_planned, registry, past.retention, needed, published, now)
        removals = together(registry, (partial(plan, one) for one in repositories))
    return tuple(removal for removal in removals if removal.digests)


def prune(removals: Sequence[Removal], namespace: Namespace, access: Access) -> None:
    """Delete what is to be deleted, and what ledgers tell of it; raises `NetworkError`."""
    gone = [digest for removal in removals for digest in removal.digests]
    with open_registry(namespace.registry, access) as registry:
        for removal in removals:
            for digest in removal.digests:
                registry.delete_manifest(removal.repository, digest)
        repository = namespace.repository(REPOSITORY)
        for tag in registry.tags(repository) if gone else ():
            update_ledger(registry, (repository, tag), lambda before: without(before, gone))


def _digests(file: Path) -> frozenset[Digest]:
    try:
        return frozenset(map(Digest.parse, _DIGEST.findall(file.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError.one(f"cannot be read: {error}", place=str(file)) from error


def _published(registry: Registry, namespace: Namespace) -> Mapping[Digest, datetime]:
    """Return when manifests were published last, by all ledgers of the namespace."""
    repository = namespace.repository(REPOSITORY)
    found: dict[Digest, datetime] = {}
    for tag in registry.tags(repository):
        for entry in read_ledger(registry, (repository, tag)).entries.values():
            for one in (entry.now, *entry.before):
                found[one.manifest] = max(one.published, found.get(one.manifest, one.published))
    return found


def _planned(
    registry: Registry,
    retention: Retention,
    needed: Mapping[Digest, str],
    published: Mapping[Digest, datetime],
    now: datetime,
    repository: str,
) -> Removal:
    tags = {
        tag: digest
        for tag in registry.tags(repository)
        if (digest := registry.manifest_digest(repository, tag))
    }
    contents = {tag: digest for tag, digest in tags.items() if is_content_tag(tag, digest)}
    old = outdated(contents, published, retention, now)
    if not old:
        return Removal(repository=repository, digests=(), tags=(), kept={})
    indexed: dict[Digest, str] = {}
    recorded: dict[str, Digest] = {}  # by the tag of the record
    for tag, digest in tags.items():
        manifest = registry.manifest(repository, digest) if tag not in contents else None
        if manifest:
            indexed |= dict.fromkeys(children_of(manifest.content), f"the index {tag}")
            if image := recorded_manifest(manifest.content):
                recorded[tag] = image
    images = remove_tags(repository, tags, old, {**indexed, **needed})
    gone = frozenset(images.digests)
    records = [tag for tag, image in recorded.items() if image in gone]
    # With an image goes what only tells of it.
    return remove_tags(repository, tags, (*images.tags, *records), {**indexed, **needed})
