"""What a publication puts beside its images: records for caches, notices of old names, the ledger.

All of it is small, and none of it is in an image. It goes last: what it tells of is there then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

from lamina.cache import offer_record
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId
from lamina.model.names import Scheme, print_names
from lamina.model.reference import Namespace
from lamina.oci.artifact import Artifact
from lamina.registry import Access, Traffic, open_registry
from lamina.registry.artifacts import get_artifact, put_artifact
from lamina.registry.together import together
from lamina.upkeep.due import Candidate, Turn, turn_of
from lamina.upkeep.ledger import (
    LEDGER_TYPE,
    REPOSITORY,
    Entry,
    Ledger,
    Publication,
    entered,
    ledger_tag,
)
from lamina.upkeep.successors import (
    SUCCESSOR_TYPE,
    Notice,
    OldName,
    notice_artifact,
    notice_tag,
    old_names,
    read_notice,
)

if TYPE_CHECKING:
    from lamina.registry.client import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The part of a namespace that one publication is about."""

    namespace: Namespace
    schemes: Sequence[Scheme]  # the present one first
    tag: str
    catalog: Catalog

    @property
    def ledger(self) -> tuple[str, str]:
        """Repository and tag of the ledger."""
        distro = self.catalog.distro
        tag = ledger_tag(self.tag, distro.name, distro.architecture)
        return self.namespace.repository(REPOSITORY), tag

    def names(self, image: Image) -> frozenset[str]:
        """Return all names of an image."""
        distro = self.catalog.distro
        return frozenset(
            str(self.namespace.reference(name))
            for scheme in self.schemes
            for name in print_names(image, distro, scheme, tag=self.tag)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be put beside images."""

    records: bool  # for caches
    until: date | None  # the last day of old names, which is told
    ledger: datetime | None  # the time that the ledger gets


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What was put beside images."""

    records: int
    notices: int
    traffic: Traffic


def candidates_of(shelf: Shelf, built: Mapping[ImageId, Built]) -> Mapping[ImageId, Candidate]:
    """Return every built image of the catalogue as it could be published."""
    distro = shelf.catalog.distro
    secure = frozenset(one.name for one in distro.repositories if one.security)
    found: dict[ImageId, Candidate] = {}
    for image in shelf.catalog.images:
        if image.id not in built:
            continue
        # What it has from its ancestors counts too.
        above = found.get(image.parent) if image.parent else None
        units = built[image.id].units
        found[image.id] = Candidate(
            manifest=built[image.id].manifest,
            cadence=image.cadence,
            names=shelf.names(image),
            security={
                **(above.security if above else {}),
                **{unit.name: unit.version for unit in units if unit.repository in secure},
            },
        )
    return found


def turns_of(
    candidates: Mapping[ImageId, Candidate], ledger: Ledger, now: datetime
) -> Mapping[ImageId, Turn]:
    """Return which images are due at `now`."""
    return {
        image: turn_of(candidate, ledger.entries.get(image), now)
        for image, candidate in candidates.items()
    }


def read_ledger(registry: Registry, place: tuple[str, str]) -> Ledger:
    """Return the ledger at a repository and tag; an empty one where there is none to be read.

    Then everything is due, and what the registry has is not sent again all the same. Raises
    `NetworkError`.
    """
    try:
        found = get_artifact(registry, *place, LEDGER_TYPE)
        return Ledger.from_json(found.content) if found else Ledger()
    except ValueError:
        return Ledger()


def update_ledger(
    registry: Registry, place: tuple[str, str], change: Callable[[Ledger], Ledger]
) -> None:
    """Replace the ledger at a repository and tag by what `change` makes of it.

    It is read anew for that, for others may have published meanwhile. Of two that write at the
    same time one is lost: what it published counts as due, and is not sent again all the same.
    Raises `NetworkError`.
    """
    before = read_ledger(registry, place)
    after = change(before)
    if after != before:
        put_artifact(registry, *place, Artifact(type=LEDGER_TYPE, content=after.to_json()))


def put_beside(
    shelf: Shelf,
    published: Mapping[ImageId, Built],
    candidates: Mapping[ImageId, Candidate],
    access: Access,
    wish: Wish,
) -> Beside:
    """Put what is wished for beside images that were just published; raises `NetworkError`.

    On a connection of its own: what images cost is counted without it.
    """
    images = [image for image in shelf.catalog.images if image.id in published]
    records = notices = 0
    with open_registry(shelf.namespace.registry, access) as registry:
        if wish.records:
            records = _offer(registry, shelf, images, published)
        if wish.until:
            present, *old = shelf.schemes
            names = old_names(images, shelf.catalog.distro, present, old, tag=shelf.tag)
            notices = tell_successors(registry, shelf.namespace, names, wish.until)
        if time := wish.ledger:
            update_ledger(
                registry,
                shelf.ledger,
                lambda before: entered(before, _entries(before, published, candidates, time)),
            )
        return Beside(records=records, notices=notices, traffic=registry.traffic)


def tell_successors(
    registry: Registry, namespace: Namespace, names: Iterable[OldName], until: date
) -> int:
    """Let a namespace tell what follows these names, which it has; return how many are new."""

    def tell(name: OldName) -> bool:
        repository = namespace.repository(name.repository)
        notice = Notice(successor=namespace.repository(name.successor), until=until)
        if notice == read_registry_notice(registry, repository, name.tag):
            return False
        put_artifact(registry, repository, notice_tag(name.tag), notice_artifact(notice))
        return True

    return sum(together(registry, (partial(tell, name) for name in names)))


def read_registry_notice(registry: Registry, repository: str, tag: str) -> Notice | None:
    """Return what a repository tells of its `tag`; None where it tells nothing of that kind."""
    try:
        artifact = get_artifact(registry, repository, notice_tag(tag), SUCCESSOR_TYPE)
        return read_notice(artifact.annotations) if artifact else None
    except ValueError:
        return None


def _offer(
    registry: Registry, shelf: Shelf, images: Sequence[Image], published: Mapping[ImageId, Built]
) -> int:
    """Put the records of images beside them, where they have the name that caches ask for."""
    if Scheme.SPLIT not in shelf.schemes:
        return 0

    def offer(image: Image) -> bool:
        (name,) = print_names(image, shelf.catalog.distro, Scheme.SPLIT, tag=shelf.tag)
        repository = shelf.namespace.reference(name).repository
        return offer_record(registry, repository, published[image.id])

    return sum(together(registry, (partial(offer, image) for image in images)))


def _entries(
    ledger: Ledger,
    published: Collection[ImageId],
    candidates: Mapping[ImageId, Candidate],
    now: datetime,
) -> Mapping[ImageId, Entry]:
    """Return the entries of images that were published; of those that were not new, the old."""
    found = {}
    for image in published:
        candidate, entry = candidates[image], ledger.entries.get(image)
        same = entry is not None and entry.now.manifest == candidate.manifest
        time = entry.now.published if entry and same else now
        found[image] = Entry(
            now=Publication(manifest=candidate.manifest, published=time.replace(microsecond=0)),
            names=candidate.names,
            security=candidate.security,
        )
    return found
