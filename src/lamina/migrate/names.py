"""What becomes of an image's name: decided by the catalogue, from the name alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamina.errors import UsageError
from lamina.model.catalog import Catalog
from lamina.model.image import Image, Kind
from lamina.model.names import Scheme, print_repository

_UNKNOWN = "not in the catalogue: keeps its name"
_SAME = "has this name already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """What a reference to an image is to be, and why."""

    image: Image
    new: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of a catalogue's images, and the scheme that references are moved to."""

    scheme: Scheme
    images: Mapping[str, Image]  # by name and by alias; of an image of two types, either

    @classmethod
    def of(cls, catalog: Catalog, scheme: Scheme) -> Names:
        """Return the names that `catalog` gives.

        Raises `UsageError` for a scheme that references cannot be moved to.
        """
        if scheme is Scheme.LEGACY:
            raise UsageError.one(
                "these are the names that consumers have already",
                place=f"--names {scheme}",
                remedy="say `--names split` or `--names infra`",
            )
        if scheme is Scheme.SHORT:
            raise UsageError.one(
                "these names have the distribution in the tag, which is set elsewhere",
                place=f"--names {scheme}",
                remedy="say `--names split` or `--names infra`",
            )
        images = {name: image for image in catalog.images for name in image.aliases}
        images |= {image.id.name: image for image in catalog.images}
        return cls(scheme=scheme, images=images)

    def is_moved(self, name: str) -> bool:
        """Tell whether references to the image called `name` change at all."""
        image = self.images.get(name)
        return image is not None and (image.kind is Kind.INFRA or image.id.name != name)

    def rename(self, name: str, *, distro: str, type_: str) -> Renamed | str:
        """Return what `DISTRO-TYPE-NAME` becomes, or why it stays.

        `distro` and `type_` are words or the expressions of a template, and `type_` may be the
        word `infra`.
        """
        image = self.images.get(name)
        if image is None:
            return _UNKNOWN
        if image.kind is Kind.OPENSTACK and image.id.name == name:
            return "an openstack image: keeps its name"
        infra = image.kind is Kind.INFRA
        new = print_repository(
            image.id.name, self.scheme, distro=distro, type_=None if infra else type_
        )
        if new == f"{distro}-{type_}-{name}":
            return _SAME
        return Renamed(image=image, new=new, reason=_reason(image, name))


def _reason(image: Image, name: str) -> str:
    reasons = ["one image for all types"] if image.kind is Kind.INFRA else []
    if image.id.name != name:
        reasons.append(f"now called {image.id.name}")
    return ", ".join(reasons)
