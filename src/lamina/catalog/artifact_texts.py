"""The texts of artifacts that have a grammar: each with its rule and its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from lamina.catalog.texts import Grammar, Line, fault
from lamina.model.artifact import READ_ENDINGS, packing_of

VARIABLES = ("name", "version", "architecture", "machine")
"""What may stand in braces in an artifact's paths."""

_WORD = re.compile(r"\{([^{}]*)\}")
_PART = r"(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f\\]+"
_REMOTE = r"(?!\.{1,2}(?:/|$))[^/\x00-\x20\x7f\\?#]+"
# Links into /usr, where Debian 12 and later have these.
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def filled(text: str, words: Mapping[str, str]) -> str:
    """Return `text` with what its words in braces stand for."""
    return _WORD.sub(lambda found: words[found[1]], text)


def speaks_of(text: str, *words: str) -> bool:
    """Tell whether any of the words stands in braces in `text`."""
    return not set(words).isdisjoint(_WORD.findall(text))


def _variables(text: str) -> str:
    for word in _WORD.findall(text):
        if word not in VARIABLES:
            known = ", ".join(f"{{{name}}}" for name in VARIABLES)
            raise fault(f"'{{{word}}}' in '{text}' stands for nothing", f"there are: {known}")
    if set("{}") & set(_WORD.sub("", text)):
        raise fault(f"a brace in '{text}' stands alone", "write it like '{version}'")
    return text


def _packed(text: str) -> str:
    try:
        packing_of(text)
    except ValueError as error:
        known = ", ".join(READ_ENDINGS)
        remedy = f"take one that ends with {known}, or the plain program"
        raise fault(str(error), remedy) from None
    return text


def _not_merged(text: str) -> str:
    first = text.split("/")[1]
    if first in _MERGED:
        raise fault(f"'/{first}' is a link to '/usr/{first}'", f"write '/usr{text}'")
    return text


def _day(text: str) -> str:
    try:
        if not 1970 <= datetime.fromisoformat(text).year < 2200:
            raise ValueError(text)
    except ValueError:
        raise fault(f"'{text}' is not a day", 'write it like "2025-11-30"') from None
    return text


def _address(text: str) -> str:
    parts = urlsplit(text)
    usable = parts.netloc if parts.scheme in ("http", "https") else parts.scheme == "file"
    if not usable or parts.query or parts.fragment:
        raise fault(f"'{text}' is not an address", "begin with https:, http: or file:")
    return text


ArtifactName = Annotated[
    str,
    Grammar(
        r"[a-z0-9]+(?:[.-][a-z0-9]+)*",
        "the name of an artifact",
        "use lower-case letters and digits, with single '.' or '-' between them",
    ),
]
SourceName = Annotated[
    str,
    Grammar(
        r"[a-z0-9]+(?:[.-][a-z0-9]+)*",
        "the name of a place",
        "use lower-case letters and digits, with single '.' or '-' between them",
    ),
]
ArtifactVersion = Annotated[
    str,
    Grammar(
        r"[A-Za-z0-9][A-Za-z0-9.+~-]*",
        "a version",
        "use letters, digits, '.', '+', '~' and '-'",
    ),
]
RemotePath = Annotated[
    str,
    Grammar(
        rf"(?![a-z]+://){_REMOTE}(?:/{_REMOTE})*",
        "a path below a place's address",
        "write what follows the place's address, without a slash before or behind",
    ),
    AfterValidator(_variables),
    AfterValidator(_packed),
]
ArchivePath = Annotated[
    str,
    Grammar(
        rf"\./|{_PART}(?:/{_PART})*/?",
        "a path in an archive",
        "write it relative to the archive's root, without '.' and '..'; './' is all of it",
    ),
    AfterValidator(_variables),
]
Destination = Annotated[
    str,
    Grammar(
        rf"(?:/{_PART})+/?",
        "an absolute path",
        "begin with '/', and leave out '.' and '..'",
    ),
    AfterValidator(_not_merged),
]
Sha256 = Annotated[
    str, Grammar(r"[0-9a-f]{64}", "a sha256 digest", "write its 64 hex digits in quotes")
]
Day = Annotated[
    str, Grammar(r"\d{4}-\d\d-\d\d", "a day", 'write it like "2025-11-30"'), AfterValidator(_day)
]
Address = Annotated[Line, AfterValidator(_address)]
