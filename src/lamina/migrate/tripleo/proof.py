"""The proof of a repointed template: it renders what it did, but for infra references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from jinja2 import Template
from jinja2.exceptions import TemplateError

from lamina.errors import Fault
from lamina.migrate.names import Names
from lamina.migrate.tripleo.cases import Case, Value, cases, count, decisive, merged
from lamina.migrate.tripleo.names import rename_full
from lamina.migrate.tripleo.pieces import environment
from lamina.migrate.tripleo.prefix import ALL, OURS, PARTS, infra_prefix
from lamina.migrate.tripleo.template import REFERENCE
from lamina.migrate.tripleo.yaml_nodes import readable
from lamina.model.image import Kind

MOST_CASES = 1024
_MOST_FAULTS = 10  # for each template: more of the same help nobody
_BY_HAND = "take the change back with `lamina migrate revert`, or mend the template by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What renderings before and after showed."""

    renderings: int = 0  # pairs that were compared
    entries: int = 0  # of the largest rendering
    moved: Mapping[str, str] = field(default_factory=dict)  # names before and after, sorted
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What a user may have set."""

    prefix: str
    suffix: str
    own: str | None = None  # the prefix that the user wants for infra images

    def variables(self) -> Mapping[str, Value]:
        own = {} if self.own is None else {OURS: self.own}
        fixed = {"namespace": "registry.example:5000/space", "tag": "some-tag"}
        return {**fixed, ALL: self.prefix, "name_suffix": self.suffix, **own}


# No distribution is called like this, so that a name behind the prefix is known from one that
# stands in the template in full.
_SETTINGS = (
    _Setting(prefix="mark-binary-", suffix=""),
    _Setting(prefix="mark-source-", suffix="-suffix"),
    _Setting(prefix="binary-", suffix=""),
    _Setting(prefix="mark-", suffix="-suffix"),
    _Setting(prefix="", suffix=""),
    _Setting(prefix="mark-binary-", suffix="-suffix", own="own-"),
)


def prove(path: str, before: str, after: str, names: Names) -> Proof:
    """Compare what a template renders before and after, in every case of its conditions.

    Everything must be equal but the references of infra images, and these must be what `names`
    makes of them, whatever prefix, suffix, namespace and tag a user sets.
    """
    jinja = environment()
    try:
        trees = [jinja.parse(text) for text in (before, after)]
        old, new = jinja.from_string(before), jinja.from_string(after)
    except (TemplateError, RecursionError, SyntaxError) as error:
        return Proof(faults=(Fault(path, f"not Jinja: {error}", _BY_HAND),))
    variables = {
        name: values for name, values in merged(*map(decisive, trees)).items() if name not in PARTS
    }
    if count(variables) > MOST_CASES:
        message = f"its conditions can turn out in {count(variables)} ways: {', '.join(variables)}"
        return Proof(faults=(Fault(path, message, "split the template"),))
    run = _Run(path=path, old=old, new=new, names=names)
    for case in cases(variables):
        for setting in _SETTINGS:
            run.compare(case, setting)
    return Proof(
        renderings=run.renderings,
        entries=run.entries,
        moved=dict(sorted(run.moved.items())),
        faults=tuple(run.faults[:_MOST_FAULTS]),
    )


def expected(reference: str, setting: _Setting, names: Names) -> tuple[str, str, str] | None:
    """Return the image's name before and after, and the reference that it must get.

    Nothing comes of a reference to an image that the catalogue does not have.
    """
    ahead, slash, last = reference.rpartition("/")
    repository, colon, tag = last.partition(":")
    stem = repository.removesuffix(setting.suffix)
    suffix = repository[len(stem) :]
    ours = setting.own
    if ours is None:
        ours = infra_prefix(setting.prefix, names.scheme)
    if ours is None:
        ours = setting.prefix
    for prefix in (setting.prefix, ours):
        name = stem.removeprefix(prefix)
        image = names.images.get(name) if stem.startswith(prefix) else None
        if image:
            new, lead = image.id.name, ours if image.kind is Kind.INFRA else prefix
            return name, new, f"{ahead}{slash}{lead}{new}{suffix}{colon}{tag}"
    if renamed := rename_full(stem, names):
        return stem, renamed.new, f"{ahead}{slash}{renamed.new}{suffix}{colon}{tag}"
    return None


@dataclass(slots=True, kw_only=True)
class _Run:
    """Renderings of one template, before and after, compared one by one."""

    path: str
    old: Template
    new: Template
    names: Names
    renderings: int = 0
    entries: int = 0
    moved: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def compare(self, case: Case, setting: _Setting) -> None:
        """Render both in a case, with a user's setting, and keep what differs."""
        variables = {**case, **setting.variables()}
        said = ", ".join(f"{name}={value!r}" for name, value in variables.items())
        try:
            before, after = _rendered(self.old, variables), _rendered(self.new, variables)
        except Exception as error:  # whatever the template's expressions raise
            first = str(error).splitlines()[0]
            self.faults.append(
                Fault(self.path, f"with {said} it renders no YAML: {first}", _BY_HAND)
            )
            return
        self.renderings += 1
        entries = list(_references(before))
        self.entries = max(self.entries, len(entries))
        wanted = self._repointed(before, setting)
        for what in _differences("", wanted, after):
            self.faults.append(Fault(self.path, f"with {said}: {what}", _BY_HAND))

    def _repointed(self, value: Any, setting: _Setting) -> Any:
        """Return a rendering with every infra reference as it must be."""
        if isinstance(value, list):
            return [self._repointed(item, setting) for item in value]
        if not isinstance(value, dict):
            return value
        new = {key: self._repointed(item, setting) for key, item in value.items()}
        reference = value.get(REFERENCE)
        found = expected(reference, setting, self.names) if isinstance(reference, str) else None
        if found:
            name, told, new[REFERENCE] = found
            if new[REFERENCE] != reference:
                self.moved[name] = told
        return new


def _rendered(template: Template, variables: Mapping[str, Value]) -> Any:
    return yaml.load(readable(template.render(**variables)), Loader=yaml.CSafeLoader)


def rendered_references(template: Template, variables: Mapping[str, Value]) -> Iterator[str]:
    """Yield the references of a rendering."""
    yield from _references(_rendered(template, variables))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == REFERENCE:
                yield str(item)
            else:
                yield from _references(item)


def _differences(place: str, wanted: Any, got: Any) -> Iterator[str]:
    """Yield what differs in words, with its place in the rendering."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in [*wanted, *(key for key in got if key not in wanted)]:
            yield from _differences(f"{place}.{key}", wanted.get(key), got.get(key))
    elif isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            yield f"{place or 'the file'} has {len(got)} entries, not {len(wanted)}"
            return
        for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
            yield from _differences(f"{place}[{number}]", one, other)
    elif wanted != got:
        yield f"{place.removeprefix('.') or 'the file'} is {_shown(got)}, not {_shown(wanted)}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) < 200 else f"{text[:200]}…"
