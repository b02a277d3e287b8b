"""Environments with `ContainerImagePrepare`: what they set, and which images they choose.

Each entry makes references of its `set`, as the template has them, and keeps those that its
expressions find. tripleo-common looks at `excludes` only where there are no `includes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from lamina.errors import Fault
from lamina.migrate.edit import Found, Kept, line_of
from lamina.migrate.names import Names
from lamina.migrate.tripleo.patterns import Filter, read_filter
from lamina.migrate.tripleo.prefix import ALL, OURS, infra_prefix
from lamina.migrate.tripleo.setting import Setting
from lamina.migrate.tripleo.yaml_nodes import BOM, behind_bom, readable
from lamina.migrate.yaml_text import read_yaml

KEY = "ContainerImagePrepare"
"""The parameter that holds the entries."""


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
        roots = list(yaml.compose_all(readable(text), Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return everything
    environment = _Environment(path=path, text=text, names=names)
    entries = [entry for root in roots for entry in _entries(root)]
    found = [_entry(environment, entry) for entry in entries]
    ours = {environment.line(node) for entry in entries for node in _understood(entry)}
    return Found.together([_without(everything, text, ours), *found])


def _entries(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value == KEY and isinstance(value, yaml.SequenceNode):
            yield from (item for item in value.value if isinstance(item, yaml.MappingNode))
        else:
            yield from _entries(value)


def _parts(entry: yaml.MappingNode) -> Mapping[str, yaml.Node]:
    return {key.value: value for key, value in entry.value if isinstance(key, yaml.ScalarNode)}


def _settings(entry: yaml.MappingNode) -> Mapping[str, yaml.ScalarNode]:
    """Return what the entry sets."""
    values = _parts(entry).get("set")
    if not isinstance(values, yaml.MappingNode):
        return {}
    pairs = _parts(values).items()
    return {key: value for key, value in pairs if isinstance(value, yaml.ScalarNode)}


def _expressions(entry: yaml.MappingNode, what: str) -> tuple[yaml.ScalarNode, ...]:
    values = _parts(entry).get(what)
    items = values.value if isinstance(values, yaml.SequenceNode) else []
    return tuple(item for item in items if isinstance(item, yaml.ScalarNode))


def _understood(entry: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    """Yield the values that are no references by themselves, but parts or filters of such."""
    yield from _settings(entry).values()
    for what in ("includes", "excludes"):
        yield from _expressions(entry, what)


def _entry(environment: _Environment, entry: yaml.MappingNode) -> Found:
    nodes = _settings(entry)
    values = {key: node.value for key, node in nodes.items()}
    setting = Setting.of(values, environment.names)
    found = [_prefix(environment, nodes)]
    includes, excludes = _expressions(entry, "includes"), _expressions(entry, "excludes")
    for what, items in (("includes", includes), ("excludes", () if includes else excludes)):
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
    hyphened = prefix.value if prefix.value.endswith("-") else f"{prefix.value}-"
    ours = infra_prefix(hyphened, environment.names.scheme)
    if ours is None:
        message = f"'{ALL}: {prefix.value}' has no type, so infra images keep it before their new names"
        remedy = f"set '{OURS}' beside it to what is before their names, be it the same"
        return Found(undecided=(Fault(environment.place(prefix), message, remedy),))
    reason = f"the template takes '{ours}' from it for infra images"
    line = environment.line(prefix)
    return Found(kept=(Kept(path=environment.path, line=line, name=prefix.value, reason=reason),))


def _without(found: Found, text: str, lines: set[int]) -> Found:
    """Return what was found in other lines."""
    places = tuple(f":{line}" for line in lines)
    return Found(
        edits=tuple(edit for edit in found.edits if line_of(text, edit.start) not in lines),
        kept=tuple(kept for kept in found.kept if kept.line not in lines),
        undecided=tuple(it for it in found.undecided if not it.place.endswith(places)),
    )
