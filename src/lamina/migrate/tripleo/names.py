"""What the catalogue says of a name behind TripleO's prefix, or of one that stands in full."""

from __future__ import annotations

import re

from lamina.migrate.names import Names, Renamed
from lamina.model.image import Image, Kind, Type
from lamina.model.names import DISTRO_WORDS

# A name in full.
FULL = re.compile(
    rf"(?P<distro>{'|'.join(DISTRO_WORDS)})-(?P<type>{'|'.join(Type)})"
    r"-(?P<name>[a-z0-9]+(?:[_-]+[a-z0-9]+)*)"
)
_WORD = re.compile(r"[a-z0-9]+(?:[_-]+[a-z0-9]+)*")


def infra_image(name: str, names: Names) -> Image | None:
    """Return the infra image that is called `name`, by its name or an alias."""
    image = names.images.get(name)
    return image if image and image.kind is Kind.INFRA else None


def rename_full(repository: str, names: Names) -> Renamed | None:
    """Return what a repository such as `centos-binary-cron` becomes; nothing if it stays."""
    found = FULL.fullmatch(repository)
    if not found:
        return None
    renamed = names.rename(found["name"], distro=found["distro"], type_=found["type"])
    return renamed if isinstance(renamed, Renamed) else None


def speaks_of_infra(text: str, names: Names) -> bool:
    """Tell whether one of the text's words is the name of an infra image."""
    words = _WORD.findall(text)
    return any(infra_image(word, names) or rename_full(word, names) for word in words)
