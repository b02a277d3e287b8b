"""What each distribution has of the images, those that only entries know included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.backends import BACKENDS
from lamina.catalog.artifact_parts import ArtifactForm
from lamina.catalog.changes import ChangeForm, MapChange
from lamina.catalog.distros import Distros
from lamina.catalog.entries import Entries
from lamina.catalog.forms import DistroForm, ImageForm
from lamina.catalog.specs import Specs, make_specs
from lamina.model.offer import Offer, Offers, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """A distribution of which there is no more than the word by which entries know it."""

    name: str

    @property
    def fallback(self) -> tuple[str, ...]:
        return (self.name,)


def make_offers(entries: Entries, distros: Distros) -> tuple[Offers, ...]:
    """Return what each distribution of the catalogue has, by name; then each further word's."""
    forms = [form for _, (form, _) in sorted(distros.by_name.items())]
    known = {word for form in forms for word in form.fallback}
    words = sorted(set(_words(entries)) - known)
    return (
        *(
            _offers(make_specs(entries, form)[0], form.name, built=_is_built(form))
            for form in forms
        ),
        *(_offers(make_specs(entries, _Word(name=word))[0], word, built=False) for word in words),
    )


def _is_built(form: DistroForm) -> bool:
    return form.backend in BACKENDS and not form.untried


def _words(entries: Entries) -> Iterator[str]:
    """Yield the words for distributions that entries and changes have, some of them often."""
    for entry in entries.by_name.values():
        yield from _words_of(entry.form)
        for change in entry.changes:
            yield from _words_of(change.form)


def _words_of(form: ImageForm | ChangeForm) -> Iterator[str]:
    if isinstance(form.packages, dict):
        yield from form.packages
    if isinstance(form.artifacts, dict):
        yield from form.artifacts
    match form.distros:
        case MapChange():
            yield from (*form.distros.append, *(form.distros.replace or ()))
        case dict():
            yield from form.distros


def _offers(specs: Specs, distro: str, *, built: bool) -> Offers:
    images = {
        name: Offer(
            packages=spec.packages,
            releases=tuple(map(_release, spec.artifacts)),
            unbuildable=specs.obstacle(name),
        )
        for name, spec in specs.by_name.items()
    }
    return Offers(distro=distro, built=built, images=images)


def _release(form: ArtifactForm) -> Release:
    return Release(
        name=form.name, version=form.version, source=form.source, checked=bool(form.sha256)
    )
