"""TripleO's `name_prefix`, and what stands in front of an infra image's name in its place.

`name_prefix` holds distribution and type of all images, such as `centos-binary-`. Infra images
have no type: their prefix is `name_prefix` without it, said once in Python and once in Jinja.
"""

from __future__ import annotations

from lamina.model.image import Type
from lamina.model.names import Scheme, print_repository

ALL = "name_prefix"
"""The template's variable for the prefix of all images."""
OURS = "infra_prefix"
"""The template's variable for the prefix of infra images; users may set it."""

SUFFIX = "name_suffix"
"""The template's variable for what follows the names of all images."""
PARTS = ("namespace", ALL, OURS, SUFFIX, "tag")
"""The template's variables that references are made of."""


def infra_prefix(prefix: str, scheme: Scheme) -> str | None:
    """Return the prefix of infra images beside `prefix`; nothing when that has no type in it."""
    for type_ in Type:
        if f"-{prefix}".endswith(f"-{type_}-"):
            return prefix.removesuffix(f"{type_}-") + in_place_of_type(scheme)
    return None


def definition(scheme: Scheme) -> str:
    """Return the statement that gives `infra_prefix` its default, which a user's setting beats.

    A `name_prefix` without a type serves infra images as before.
    """
    word = in_place_of_type(scheme)
    joined = f' ~ "{word}"' if word else ""
    typed = " else ".join(
        f'{ALL}[:-{len(type_) + 1}]{joined} if ("-" ~ {ALL}).endswith("-{type_}-")'
        for type_ in Type
    )
    return f"{{% set {OURS} = {OURS} | default({typed} else {ALL}) %}}"


def in_place_of_type(scheme: Scheme) -> str:
    """Return what an infra image has where others have their type and a dash, if anything."""
    return print_repository("", scheme, distro="", type_=None).removeprefix("-")
