"""`overcloud_containers.yaml`: the list of all references, which must be what its template renders.

The list has an entry for each entry of the template in any case of its conditions, in the
template's order, with the reference and nothing that is for a deployment only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from lamina.errors import Fault
from lamina.migrate.tripleo.cases import Value, cases, count, decisive
from lamina.migrate.tripleo.entries import KEY
from lamina.migrate.tripleo.pieces import environment
from lamina.migrate.tripleo.prefix import PARTS
from lamina.migrate.tripleo.proof import MOST_CASES
from lamina.migrate.tripleo.template import ENTRIES, REFERENCE
from lamina.migrate.tripleo.yaml_nodes import readable

LIST = "container_images"
_DROPPED = ("params", "services")
_AGAIN = "correct whichever of the two is wrong"


def template_of(path: str) -> str:
    """Return the path of a list's template."""
    return f"{path}.j2"


def defaults_of(path: str, texts: Mapping[str, str]) -> Mapping[str, Value] | None:
    """Return what is set by default for the list at `path`: by the environment in its folder."""
    folder = PurePosixPath(path).parent
    for other, text in sorted(texts.items()):
        if PurePosixPath(other).parent == folder and KEY in text:
            values = _set(_loaded(text))
            if values is not None:
                return values
    return None


def compare_list(
    path: str, text: str, template: str, defaults: Mapping[str, Value]
) -> tuple[Fault, ...]:
    """Return where the list differs from what its template renders with the defaults."""
    listed = _loaded(text)
    entries = listed.get(LIST) if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        return (Fault(path, f"not a list below '{LIST}'", _AGAIN),)
    rendered: list[Any] = []
    faults: set[Fault] = set()
    try:
        found = decisive(environment().parse(template))
        variables = {name: values for name, values in found.items() if name not in PARTS}
        if count(variables) > MOST_CASES:
            message = f"its template's conditions can turn out in {count(variables)} ways"
            return (Fault(path, message, "split the template"),)
        for case in cases(variables):
            once = list(_rendered(template, {**defaults, **case}))
            rendered.extend(entry for entry in once if entry not in rendered)
            faults.update(_disorder(path, entries, once))
    except Exception as error:  # whatever the template's expressions raise
        message = f"its template does not render: {' '.join(str(error).split())}"
        return (Fault(path, message, _AGAIN),)
    for entry in entries:
        if entry not in rendered:
            message = f"{_shown(entry)} is nothing that the template renders"
            faults.add(Fault(path, message, _AGAIN))
    return tuple(sorted(faults))


def _disorder(path: str, entries: list[Any], once: list[Any]) -> Iterator[Fault]:
    """Yield what a rendering has and the list has not, or in another order."""
    missing = [entry for entry in once if entry not in entries]
    for entry in missing:
        yield Fault(path, f"{_shown(entry)}, which the template renders, is not there", _AGAIN)
    if not missing and [entry for entry in entries if entry in once] != once:
        yield Fault(path, "its entries have another order than the template's", _AGAIN)


def _rendered(template: str, variables: Mapping[str, Value]) -> Iterator[dict[str, Any]]:
    text = environment().from_string(template).render(**variables)
    found = yaml.load(readable(text), Loader=yaml.CSafeLoader)
    entries = found.get(ENTRIES) if isinstance(found, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield {key: value for key, value in entry.items() if key not in _DROPPED}


def _loaded(text: str) -> Any:
    try:
        return yaml.load(readable(text), Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None


def _set(environment_: Any) -> Mapping[str, Value] | None:
    """Return what the first entry of an environment sets."""
    match environment_:
        case {"parameter_defaults": {"ContainerImagePrepare": [{"set": dict(values)}, *_]}}:
            return values
    return None


def _shown(entry: Any) -> str:
    return str(entry.get(REFERENCE, entry) if isinstance(entry, dict) else entry)
