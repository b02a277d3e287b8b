"""Image names as people and registries write them: the only module that prints or reads them.

A name has a distribution, a type and the catalogue's name in it, joined in a way that depends on
the scheme (design, section 4). A catalogue name never starts with any of the words in front of
it, so that every printed name has one reading only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from lamina.errors import Fault, UsageError
from lamina.model.catalog import Catalog, Distro
from lamina.model.image import Image, ImageId, Kind, Type
from lamina.model.spelling import did_you_mean

INFRA = "infra"
# Distributions whose images consumers name; a name that begins with one never means another.
DISTRO_WORDS = ("almalinux", "centos", "debian", "fedora", "rhel", "rocky", "ubuntu")

# OCI distribution specification 1.1, section "Pulling manifests".
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


class Scheme(StrEnum):
    """How distribution, type and name make up an image's name in a registry."""

    SPLIT = "split"  # debian-cron, debian-source-nova-api
    INFRA = "infra"  # debian-infra-cron, debian-source-nova-api
    LEGACY = "legacy"  # debian-binary-cron and debian-source-cron, debian-source-nova-api
    SHORT = "short"  # cron:<tag>-debian-13, nova-api:<tag>-debian-13


def reserved_words(distros: Iterable[str] = ()) -> frozenset[str]:
    """Return the words that no catalogue name may begin with; `distros` are further ones."""
    return frozenset((*Type, INFRA, *DISTRO_WORDS, *distros))


def print_names(image: Image, distro: Distro, scheme: Scheme, *, tag: str) -> tuple[str, ...]:
    """Return the image's references `REPOSITORY:TAG` in `scheme`, its present name first.

    Only `legacy` has several: there an infra image has both types, and every alias is a name too.
    Raises `UsageError` for a tag that no registry takes.
    """
    full_tag = f"{tag}-{distro.name}" if scheme is Scheme.SHORT else tag
    if not _TAG.fullmatch(full_tag):
        raise UsageError.one(
            f"'{full_tag}' is not a tag",
            remedy="a tag has letters, digits, '_', '.' and '-', at most 128 of them",
        )
    return tuple(f"{name}:{full_tag}" for name in _repositories(image, distro.short, scheme))


def print_repository(name: str, scheme: Scheme, *, distro: str, type_: str | None) -> str:
    """Return the repository of the image called `name`; `type_` is None for an infra image.

    `distro` and `type_` are words, or the expressions of a template that stand for them.
    Raises `ValueError` for `legacy`, where an infra image has two repositories.
    """
    match scheme:
        case Scheme.SPLIT:
            return f"{distro}-{name}" if type_ is None else f"{distro}-{type_}-{name}"
        case Scheme.INFRA:
            return f"{distro}-{INFRA if type_ is None else type_}-{name}"
        case Scheme.SHORT:
            return name
        case Scheme.LEGACY:
            if type_ is None:
                raise ValueError(f"an infra image has no single name in {scheme}")
            return f"{distro}-{type_}-{name}"
    assert_never(scheme)


def name_table(
    images: Iterable[Image], distro: Distro, scheme: Scheme, *, tag: str
) -> Mapping[str, ImageId]:
    """Return what every reference of `images` in `scheme` means.

    Raises `UsageError` when two images would have one reference, as the two types of an openstack
    image do in `short`.
    """
    table: dict[str, ImageId] = {}
    faults = []
    for image in images:
        for name in print_names(image, distro, scheme, tag=tag):
            other = table.setdefault(name, image.id)
            if other != image.id:
                faults.append(
                    Fault(
                        name,
                        f"the scheme '{scheme}' gives this name to '{other}' and to '{image.id}'",
                        "choose one type, such as 'type:source', or another scheme",
                    )
                )
    UsageError.raise_all(faults)
    return table


def parse_names(
    text: str, catalog: Catalog, *, scheme: Scheme = Scheme.SPLIT
) -> tuple[ImageId, ...]:
    """Return the images that `text` names: one, or all types where the text says none.

    Read are the catalogue's names and aliases, alone or behind a distribution, a type or `infra`;
    a tag has no say. An infra image behind a type is read only where `scheme` is `legacy`.
    Raises `UsageError` that says which name was probably meant.
    """
    spoken = _read(text, catalog.distro)
    found = [
        image
        for image in catalog.images
        if spoken.name == image.id.name or spoken.name in image.aliases
    ]
    if not found:
        raise UsageError(_unknown(spoken, catalog))
    if found[0].kind is Kind.INFRA:
        if isinstance(spoken.word, Type) and scheme is not Scheme.LEGACY:
            name = found[0].id.name
            raise UsageError.one(
                f"'{name}' is an infra image, and has no type in its name",
                place=text,
                remedy=f"say '{spoken.prefix}{name}'",
            )
        return (found[0].id,)
    return _typed(spoken, tuple(image.id for image in found))


def parse_name(text: str, catalog: Catalog, *, scheme: Scheme = Scheme.SPLIT) -> ImageId:
    """Return the one image that `text` names, read as `parse_names` does.

    Raises `UsageError` also for an openstack image of several types whose type is not said.
    """
    ids = parse_names(text, catalog, scheme=scheme)
    if len(ids) > 1:
        raise UsageError.one(
            f"'{ids[0].name}' is built as {' and '.join(str(id_.type) for id_ in ids)}",
            place=text,
            remedy=_say(ids),
        )
    return ids[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spoken:
    """A name taken apart."""

    text: str
    prefix: str  # the distribution with its dash, or empty
    word: Type | str  # a type, `infra`, or empty
    name: str


def _repositories(image: Image, short: str, scheme: Scheme) -> tuple[str, ...]:
    names: tuple[str, ...] = (image.id.name,)
    types: tuple[Type | None, ...] = (image.id.type,)
    if scheme is Scheme.LEGACY:
        names = (image.id.name, *image.aliases)
        types = types if image.id.type else tuple(Type)
    return tuple(
        print_repository(name, scheme, distro=short, type_=type_)
        for name in names
        for type_ in types
    )


def _read(text: str, distro: Distro) -> _Spoken:
    repository = text.partition(":")[0]
    first, _, rest = repository.partition("-")
    prefix = ""
    if first == distro.short:
        prefix, repository = f"{first}-", rest
    elif rest and first in DISTRO_WORDS:
        raise UsageError.one(
            f"an image of {first}, but the distribution is {distro.name}",
            place=text,
            remedy=f"say '{distro.short}-{rest}', or choose another distribution",
        )
    first, _, rest = repository.partition("-")
    if first == INFRA:
        return _Spoken(text=text, prefix=prefix, word=INFRA, name=rest)
    if first in tuple(Type):
        return _Spoken(text=text, prefix=prefix, word=Type(first), name=rest)
    return _Spoken(text=text, prefix=prefix, word="", name=repository)


def _typed(spoken: _Spoken, ids: tuple[ImageId, ...]) -> tuple[ImageId, ...]:
    if not spoken.word:
        return ids
    chosen = tuple(id_ for id_ in ids if id_.type == spoken.word)
    if chosen:
        return chosen
    fault = "no infra image" if spoken.word == INFRA else f"not built as {spoken.word}"
    raise UsageError.one(
        f"'{ids[0].name}' is {fault}",
        place=spoken.text,
        remedy=_say(ids, spoken.prefix),
    )


def _unknown(spoken: _Spoken, catalog: Catalog) -> Fault:
    known = [name for image in catalog.images for name in (image.id.name, *image.aliases)]
    return Fault(
        spoken.text,
        f"no image '{spoken.name}' in the catalogue" if spoken.name else "no name of an image",
        did_you_mean(spoken.name, known, otherwise="'lamina list' shows all images"),
    )


def _say(ids: Iterable[ImageId], prefix: str = "") -> str:
    return "say " + " or ".join(f"'{prefix}{id_}'" for id_ in ids)
