"""The entries of `ContainerImagePrepare`: what each sets, and by what it chooses images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from lamina.migrate.names import Names
from lamina.migrate.tripleo.setting import Setting
from lamina.migrate.tripleo.yaml_nodes import readable

KEY = "ContainerImagePrepare"
"""The parameter that holds the entries."""
_FILTERS = ("includes", "excludes")


def chooses(path: Sequence[str | int]) -> bool:
    """Tell whether a path of keys leads to an expression that chooses images."""
    return KEY in path and any(what in path for what in _FILTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, by the nodes of its values."""

    sets: Mapping[str, yaml.ScalarNode]
    filters: Mapping[str, tuple[yaml.ScalarNode, ...]]  # all that are written

    @property
    def understood(self) -> tuple[yaml.ScalarNode, ...]:
        """Return the values that are no references by themselves, but make or choose them."""
        return (*self.sets.values(), *(node for nodes in self.filters.values() for node in nodes))

    @property
    def chooses(self) -> Mapping[str, tuple[yaml.ScalarNode, ...]]:
        """Return the filters that have a say: tripleo-common looks at one kind only."""
        what = next((what for what in _FILTERS if self.filters.get(what)), "")
        return {what: self.filters[what]} if what else {}

    def setting(self, names: Names) -> Setting:
        """Return what references are made of."""
        return Setting.of({key: node.value for key, node in self.sets.items()}, names)


def entries_of(text: str) -> tuple[Entry, ...]:
    """Return the entries of an environment; raise `yaml.YAMLError` for what is not YAML."""
    roots = yaml.compose_all(readable(text), Loader=yaml.CSafeLoader)
    return tuple(entry for root in roots for entry in _entries(root))


def _entries(node: yaml.Node | None) -> Iterator[Entry]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value == KEY and isinstance(value, yaml.SequenceNode):
            yield from (_entry(item) for item in value.value if isinstance(item, yaml.MappingNode))
        else:
            yield from _entries(value)


def _entry(node: yaml.MappingNode) -> Entry:
    parts = _parts(node)
    values = parts.get("set")
    pairs = _parts(values).items() if isinstance(values, yaml.MappingNode) else ()
    lists = {what: parts[what] for what in _FILTERS if what in parts}
    return Entry(
        sets={key: value for key, value in pairs if isinstance(value, yaml.ScalarNode)},
        filters={
            what: tuple(item for item in value.value if isinstance(item, yaml.ScalarNode))
            for what, value in lists.items()
            if isinstance(value, yaml.SequenceNode)
        },
    )


def _parts(node: yaml.MappingNode) -> Mapping[str, yaml.Node]:
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
