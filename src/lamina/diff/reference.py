"""What is to be compared, as people say it: `current`, `previous`, a digest, a lock's path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lamina.errors import UsageError
from lamina.model.digest import Digest
from lamina.model.image import ImageId

_ALGORITHM = "sha256:"
_DIGITS = re.compile(r"[0-9a-f]{8,64}")
_NAMED = 4  # digests that a remedy names


class Word(StrEnum):
    """A state of an image that the store knows by name."""

    CURRENT = "current"  # what is tagged
    PREVIOUS = "previous"  # what was tagged before, with another manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The beginning of a manifest's digest, or all of it."""

    digits: str

    def __str__(self) -> str:
        """Print in OCI's form."""
        return f"{_ALGORITHM}{self.digits}"


Reference = Word | Prefix | Path


def parse_reference(text: str) -> Reference:
    """Read `current`, `previous`, a digest with or without `sha256:`, or else a lock's path.

    A lock whose name is that of a digest is meant with its folder: `./0123abcd`. Raises
    `UsageError` for a digest that is none.
    """
    if text in tuple(Word):
        return Word(text)
    digits = text.removeprefix(_ALGORITHM)
    if _DIGITS.fullmatch(digits):
        return Prefix(digits=digits)
    if digits != text:
        raise UsageError.one(
            "not a digest", place=text, remedy="give 8 to 64 of its hex digits, in lower case"
        )
    return Path(text)


def find_manifest(prefix: Prefix, manifests: Mapping[Digest, ImageId], image: ImageId) -> Digest:
    """Return the manifest of `image` that begins so.

    `manifests` are all that there are. Raises `UsageError` unless it is one and of this image.
    """
    found = {one: of for one, of in manifests.items() if one.hex.startswith(prefix.digits)}
    own = sorted(one for one, of in found.items() if of == image)
    if len(own) == 1:
        return own[0]
    if own:
        message = f"{len(own)} manifests of '{image}' begin so"
        remedy = "say " + " or ".join(f"'{one.short}'" for one in own[:_NAMED])
    elif found:
        message = f"a manifest of {_listed(found.values())}, not of '{image}'"
        remedy = "compare two states of one image"
    else:
        message = f"no manifest of '{image}' in the store begins so"
        remedy = "`lamina list --json` shows the current one; earlier ones end with `lamina gc`"
    raise UsageError.one(message, place=str(prefix), remedy=remedy)


def _listed(images: Iterable[ImageId]) -> str:
    return " and ".join(sorted({f"'{image}'" for image in images}))
