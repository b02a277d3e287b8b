"""What is wrong with a JSON text, and on which line it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault, and the keys that lead to its place."""

    keys: tuple[int | str, ...]
    message: str
    remedy: str = ""


def marked(text: str) -> yaml.Node | None:
    """Return the content of the text with the place of each part; nothing if it has none.

    The text is read as YAML, of which JSON is a part, for its marks: that is slow, and done for
    a file with faults only.
    """
    try:
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None


def line_of(content: yaml.Node | None, keys: Sequence[int | str]) -> int:
    """Return the line of what these keys lead to, or of the last part of the way that is there."""
    line, node = 1, content
    for key in keys:
        found = _step(node, key)
        if found is None:
            break
        line, node = found
    return line


def _step(node: yaml.Node | None, key: int | str) -> tuple[int, yaml.Node] | None:
    """Return the line on which the entry starts, and the entry."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        value = node.value[key]
        return value.start_mark.line + 1, value
    return None
