"""The rules for paths that must not be in an image, by the distributions that they hold for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from lamina.catalog.checked import checked
from lamina.catalog.distros import Distros, is_known
from lamina.catalog.document import Document
from lamina.catalog.folder import RULES, Folder
from lamina.catalog.forms import RulesForm
from lamina.errors import Fault
from lamina.model.catalog import PathRule
from lamina.model.spelling import did_you_mean

ANY = "any"
"""The word for every distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Every rule by the word of its distributions, and what is wrong with their files."""

    by_word: Mapping[str, tuple[PathRule, ...]]
    faults: tuple[Fault, ...]

    def of(self, fallback: Sequence[str]) -> tuple[PathRule, ...]:
        """Return the rules for a distribution that entries know by these words.

        Unlike packages they add up: what must not be in any image must not be in its images.
        """
        return tuple(rule for word in _words(fallback) for rule in self.by_word.get(word, ()))


def read_rules(folders: Sequence[Folder], distros: Distros) -> Rules:
    """Return the rules of all `folders`; those of a folder laid over another come after it."""
    by_word: dict[str, tuple[PathRule, ...]] = {}
    places: dict[tuple[str, str], list[str]] = {}  # by word and glob
    faults: list[Fault] = []
    for folder in folders:
        for document, found in folder.documents(RULES):
            faults.extend(found)
            if document is None:
                continue
            result = checked(_adapter(), document)
            faults.extend(result.faults)
            if result.form is None:
                continue
            faults.extend(_unknown(result.form, document, distros))
            for word, forms in result.form.rules.items():
                rules = tuple(PathRule(glob=f.glob, action=f.action, why=f.why) for f in forms)
                by_word[word] = (*by_word.get(word, ()), *rules)
                for number, rule in enumerate(rules):
                    place = document.place("rules", word, number)
                    places.setdefault((word, rule.glob), []).append(place)
    faults.extend(_double(places, distros))
    return Rules(by_word=by_word, faults=tuple(faults))


@cache
def _adapter() -> TypeAdapter[RulesForm]:
    return TypeAdapter(RulesForm)


def _words(fallback: Sequence[str]) -> tuple[str, ...]:
    return (ANY, *reversed(fallback))


def _unknown(form: RulesForm, document: Document, distros: Distros) -> Iterator[Fault]:
    known = distros.words | {ANY}
    for word in form.rules:
        if not is_known(word, known):
            otherwise = f"known are: {', '.join(sorted(known))}"
            yield Fault(
                document.place("rules", word),
                f"no distribution '{word}'",
                did_you_mean(word, known, otherwise=otherwise),
            )


def _double(places: Mapping[tuple[str, str], Sequence[str]], distros: Distros) -> Iterator[Fault]:
    """Yield each rule for paths that have one already, in any distribution."""
    lines = [form.fallback for form, _ in distros.by_name.values()]
    told: set[str] = set()
    for words in (_words(fallback) for fallback in lines):
        for glob in dict.fromkeys(glob for _, glob in places):
            first, *others = [p for word in words for p in places.get((word, glob), ())] or [""]
            for place in others:
                if place not in told:
                    told.add(place)
                    message = f"there is another rule for '{glob}'"
                    yield Fault(place, message, f"it stands at {first}; delete one of the two")
