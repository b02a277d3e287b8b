"""Environments with `ContainerImagePrepare`: what they set, and which images they choose.

Each entry makes references of its `set`, as the template has them, and keeps those that its
expressions find. tripleo-common looks at `excludes` only where there are no `includes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from lamina.errors import Fault
from lamina.migrate.edit import Found, Kept, line_of
from lamina.migrate.names import Names
from lamina.migrate.tripleo.entries import KEY, Entry, entries_of
from lamina.migrate.tripleo.patterns import Filter, read_filter
from lamina.migrate.tripleo.prefix import ALL, OURS, infra_prefix
from lamina.migrate.tripleo.setting import hyphened
from lamina.migrate.tripleo.yaml_nodes import BOM, behind_bom
from lamina.migrate.yaml_text import read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class _Environment:
    path: str
    text: str
    names: Names

    def place(self, node: yaml.Node) -> str:
        return f"{self.path}:{self.line(node)}"

    def line(self, node: yaml.Node) -> int:
        return line_of(self.text, node.start_mark.index)


def is_environment(path: str, text: str) -> bool:
    """Tell whether a file may be such an environment."""
    return KEY in text and path.lower().endswith((".yaml", ".yml", ".json"))


def read_environment(path: str, text: str, names: Names) -> Found:
    """Return what must change in an environment, and what it has to be told.

    What is not an entry of `ContainerImagePrepare` is read as in any YAML file.
    """
    if text.startswith(BOM):
        return behind_bom(read_environment(path, text.removeprefix(BOM), names))
    everything = read_yaml(path, text, names)
    try:
        entries = entries_of(text)
    except yaml.YAMLError:
        return everything
    environment = _Environment(path=path, text=text, names=names)
    found = [_entry(environment, entry) for entry in entries]
    ours = [node for entry in entries for node in entry.understood]
    return Found.together([_without(everything, environment, ours), *found])


def _entry(environment: _Environment, entry: Entry) -> Found:
    setting = entry.setting(environment.names)
    found = [_prefix(environment, entry.sets)]
    for what, items in entry.chooses.items():
        filter_ = Filter(path=environment.path, text=environment.text, items=items, what=what)
        found.append(read_filter(filter_, setting, environment.names))
    return Found.together(found)


def _prefix(environment: _Environment, nodes: Mapping[str, yaml.ScalarNode]) -> Found:
    """Say what the entry's prefix makes of the names of infra images."""
    own, prefix = nodes.get(OURS), nodes.get(ALL)
    if own is not None:
        if not own.value or own.value.endswith("-"):
            return Found()
        message = f"'{OURS}: {own.value}' has no dash at its end, and tripleo-common adds none"
        remedy = f"write '{own.value}-'"
        return Found(undecided=(Fault(environment.place(own), message, remedy),))
    if prefix is None:
        return Found()
    ours = infra_prefix(hyphened(prefix.value), environment.names.scheme)
    if ours is None:
        message = f"'{ALL}: {prefix.value}' has no type: new names of infra images follow it"
        remedy = f"set '{OURS}' beside it to what is before their names, be it the same"
        return Found(undecided=(Fault(environment.place(prefix), message, remedy),))
    reason = f"the template takes '{ours}' from it for infra images"
    line = environment.line(prefix)
    return Found(kept=(Kept(path=environment.path, line=line, name=prefix.value, reason=reason),))


def _without(found: Found, environment: _Environment, nodes: Sequence[yaml.ScalarNode]) -> Found:
    """Return what was found in other values."""
    spans = [(node.start_mark.index, node.end_mark.index) for node in nodes]
    lines = {environment.line(node) for node in nodes}
    places = tuple(f":{line}" for line in lines)
    return Found(
        edits=tuple(
            edit
            for edit in found.edits
            if not any(start <= edit.start < end for start, end in spans)
        ),
        kept=tuple(kept for kept in found.kept if kept.line not in lines),
        undecided=tuple(it for it in found.undecided if not it.place.endswith(places)),
    )
