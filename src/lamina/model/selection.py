"""Which images a command is about, as people say it: `cron`, `ceph-*`, `kind:infra`, `@edge`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

from lamina.errors import Fault, UsageError
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId, Kind, Type
from lamina.model.names import INFRA, parse_names
from lamina.model.spelling import did_you_mean

Profiles = Mapping[str, Sequence[str]]

_NO_PROFILES: Profiles = MappingProxyType({})
_GLOB = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a command line selects: what any of the terms does, and of that one kind only."""

    terms: tuple[str, ...] = ()  # none: everything
    kind: Kind | None = None  # none: both

    def __str__(self) -> str:
        """Print as it is typed."""
        return " ".join((*(("--kind", self.kind) if self.kind else ()), *self.terms))


def select(
    catalog: Catalog, terms: Sequence[str], *, profiles: Profiles = _NO_PROFILES
) -> tuple[ImageId, ...]:
    """Return the images that any of `terms` selects, in the catalogue's order; none means all.

    A term is a name as people write it, a glob over names, `kind:`, `type:` or `family:` with a
    value or a glob, each with `+` behind it for all descendants too, or `@` and the name of a
    profile, which stands for further terms.
    Raises one `UsageError` for all terms that are wrong or select nothing.
    """
    if not terms:
        return tuple(image.id for image in catalog.images)
    chosen: set[ImageId] = set()
    faults: list[Fault] = []
    for term in _expanded(terms, profiles, faults):
        try:
            chosen |= _selected(catalog, term)
        except UsageError as error:
            faults.extend(error.faults)
    if faults:
        raise UsageError(*dict.fromkeys(faults))
    return _in_order(catalog, chosen)


def of_kind(catalog: Catalog, ids: Collection[ImageId], kind: Kind | None) -> tuple[ImageId, ...]:
    """Return those of `ids` that are of `kind`, in the catalogue's order; None means both kinds.

    Raises `UsageError` when there is none.
    """
    chosen = tuple(
        image.id for image in catalog.images if image.id in ids and kind in (None, image.kind)
    )
    if kind and not chosen:
        raise UsageError.one(
            "no selected image is of this kind",
            place=f"--kind {kind}",
            remedy="leave it out, or select others",
        )
    return chosen


def is_name(term: str) -> bool:
    """Tell whether a term names one image outright: no glob, field, profile or descendants."""
    field, colon, _ = term.partition(":")
    return not (
        term.startswith("@")
        or term.endswith("+")
        or _GLOB & set(term)
        or (colon and field in _FIELDS)
    )


def with_ancestors(catalog: Catalog, ids: Iterable[ImageId]) -> tuple[ImageId, ...]:
    """Return `ids` and all their ancestors, in the catalogue's order."""
    images = catalog.by_id()
    chosen: set[ImageId] = set()
    for id_ in ids:
        ancestor: ImageId | None = id_
        while ancestor and ancestor not in chosen:
            chosen.add(ancestor)
            ancestor = images[ancestor].parent
    return _in_order(catalog, chosen)


def with_descendants(catalog: Catalog, ids: Iterable[ImageId]) -> tuple[ImageId, ...]:
    """Return `ids` and all their descendants, in the catalogue's order."""
    chosen = set(ids)
    # Parents stand before children: one pass finds every generation.
    for image in catalog.images:
        if image.parent in chosen:
            chosen.add(image.id)
    return _in_order(catalog, chosen)


def _expanded(terms: Sequence[str], profiles: Profiles, faults: list[Fault]) -> tuple[str, ...]:
    """Return `terms` with the profiles' own terms in their place; unknown ones are `faults`."""
    plain: list[str] = []
    opened: set[str] = set()
    waiting = list(reversed(terms))
    while waiting:
        term = waiting.pop()
        name = term.removeprefix("@")
        if name == term:
            plain.append(term)
        elif name not in profiles:
            otherwise = "name it in the section 'profiles' of lamina.toml"
            remedy = did_you_mean(name, profiles, otherwise=otherwise)
            faults.append(Fault(term, f"no profile '{name}'", remedy))
        elif name not in opened:
            # Once is enough, which also ends profiles that name each other.
            opened.add(name)
            waiting.extend(reversed(profiles[name]))
    return tuple(plain)


def _selected(catalog: Catalog, term: str) -> set[ImageId]:
    body = term.removesuffix("+")
    field, colon, value = body.partition(":")
    if colon and field in _FIELDS:
        ids = _by_field(catalog, term, field, value)
    elif _GLOB & set(body):
        ids = _by_glob(catalog, term, body)
    else:
        ids = set(parse_names(body, catalog))
    return set(with_descendants(catalog, ids)) if body != term else ids


def _family_of(image: Image) -> str:
    return image.family


def _kind_of(image: Image) -> str:
    return image.kind


def _type_of(image: Image) -> str:
    return image.id.type or ""


_FIELDS = MappingProxyType({"family": _family_of, "kind": _kind_of, "type": _type_of})
_VALUES = MappingProxyType({"kind": tuple(Kind), "type": tuple(Type)})


def _by_field(catalog: Catalog, term: str, field: str, value: str) -> set[ImageId]:
    value_of = _FIELDS[field]
    found = {
        image.id
        for image in catalog.images
        if value_of(image) and fnmatchcase(value_of(image), value)
    }
    if found:
        return found
    known = _VALUES.get(field) or {image.family for image in catalog.images}
    remedy = did_you_mean(value, known, otherwise=f"known are: {', '.join(sorted(known))}")
    # A known value without images needs no second spelling of itself.
    raise UsageError(
        Fault(term, f"no image of the {field} '{value}'", "" if value in known else remedy)
    )


def _by_glob(catalog: Catalog, term: str, pattern: str) -> set[ImageId]:
    pattern = pattern.removeprefix(f"{catalog.distro.short}-")
    found = {
        image.id
        for image in catalog.images
        if any(fnmatchcase(spelling, pattern) for spelling in _spellings(image))
    }
    if not found:
        bare = "".join(letter for letter in pattern if letter not in _GLOB)
        known = [spelling for image in catalog.images for spelling in _spellings(image)]
        remedy = did_you_mean(bare, known, otherwise="'lamina list' shows all images")
        raise UsageError(Fault(term, "no image has such a name", remedy))
    return found


def _spellings(image: Image) -> tuple[str, ...]:
    full = str(image.id) if image.id.type else f"{INFRA}-{image.id.name}"
    return (image.id.name, full, *image.aliases)


def _in_order(catalog: Catalog, chosen: Collection[ImageId]) -> tuple[ImageId, ...]:
    return tuple(image.id for image in catalog.images if image.id in chosen)
