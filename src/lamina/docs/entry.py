"""One name of the catalogue, with all that its section of a page is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId, Runtime
from lamina.model.offer import Offer, Offers

INDEX = "README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An image of the catalogue, as all its types."""

    types: tuple[Image, ...]  # at least one; an infra image once
    parent: Image | None
    offers: Mapping[str, Offer]  # by distribution, the catalogue's own first
    built: frozenset[str]  # the distributions that lamina is known to build for

    @property
    def image(self) -> Image:
        """What does not depend on the type."""
        return self.types[0]

    @property
    def name(self) -> str:
        """The image's name."""
        return self.image.id.name

    @property
    def inherited(self) -> Runtime:
        """The configuration that comes from the parent."""
        return self.parent.runtime if self.parent else Runtime()

    @property
    def built_for(self) -> tuple[str, ...]:
        """The distributions that it can be built for."""
        return tuple(
            distro
            for distro, offer in self.offers.items()
            if distro in self.built and not offer.unbuildable
        )

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why other distributions cannot have it."""
        return {
            distro: offer.unbuildable for distro, offer in self.offers.items() if offer.unbuildable
        }


def make_entries(catalog: Catalog, offers: Sequence[Offers]) -> tuple[Entry, ...]:
    """Return the entries of a catalogue, by name."""
    images: Mapping[ImageId, Image] = catalog.by_id()
    built = frozenset(one.distro for one in offers if one.built)

    def entries() -> Iterator[Entry]:
        by_name = sorted(catalog.images, key=lambda image: image.id)
        for name, types in groupby(by_name, key=lambda image: image.id.name):
            first, *others = types
            yield Entry(
                types=(first, *others),
                parent=images[first.parent] if first.parent else None,
                offers={one.distro: one.images[name] for one in offers},
                built=built,
            )

    return tuple(entries())


def page_of(family: str) -> str:
    """Return the name of a family's page; that of the index is taken."""
    return f"{family}-family.md" if family.upper() == INDEX else f"{family}.md"
