"""Which services a deployment of TripleO restarts: those whose entry has another reference."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from lamina.migrate.edit import line_of
from lamina.migrate.jinja import NotATemplateError, pieces_of
from lamina.migrate.tripleo.pieces import blanked
from lamina.migrate.tripleo.template import REFERENCE
from lamina.migrate.tripleo.yaml_nodes import inside, readable

_SERVICES = "services"


def restarted_services(before: str, after: str) -> Iterator[tuple[str, int]]:
    """Yield each service of an entry that changes, and the line of the entry's reference before.

    The texts are those of one template, in which entries keep their order.
    """
    for (old, services, line), (new, _, _) in zip(_entries(before), _entries(after), strict=False):
        if old != new:
            yield from ((service, line) for service in services)


def _entries(text: str) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield each entry's reference as it is written, its services and its line."""
    try:
        root = yaml.compose(readable(blanked(text, pieces_of(text))), Loader=yaml.CSafeLoader)
    except (NotATemplateError, yaml.YAMLError):
        return
    for mapping in _mappings(root):
        parts = {key.value: value for key, value in mapping.value}
        reference, services = parts.get(REFERENCE), parts.get(_SERVICES)
        if isinstance(reference, yaml.ScalarNode):
            listed = services.value if isinstance(services, yaml.SequenceNode) else []
            names = tuple(one.value for one in listed if isinstance(one, yaml.ScalarNode))
            span = inside(text, reference)
            yield text[span], names, line_of(text, span.start)


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _mappings(item)
    elif isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
