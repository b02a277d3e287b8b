"""A YAML file as what a deployment's tool sees in it: scalars, each at its path of keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from lamina.migrate.jinja import variables_of

_VARIABLES = re.compile(r"(?:^|/)(?:group_vars|host_vars)/(?!.*\.j2$)")
_ROLE = re.compile(r"(?:^|.*/)roles/[^/]+/")
_NO_UTF8 = re.compile("[\ud800-\udfff]")

Path = tuple[str | int, ...]
"""From the outermost key or index to the innermost; the first is the number of the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A scalar, and the line that it begins in."""

    value: str
    line: int
    plain: bool  # without quotes, so that it may be a number or a boolean


def is_yaml(path: str) -> bool:
    """Tell whether a file is YAML, by its path; variables of Ansible's need no suffix."""
    return path.endswith((".yml", ".yaml", ".json")) or bool(_VARIABLES.search(path))


def role_of(path: str) -> str:
    """Return the folder of the role that a file is of, with its `/`; empty: it is of none."""
    role = _ROLE.match(path)
    return role.group() if role else ""


def leaves_of(text: str) -> Mapping[Path, Leaf]:
    """Return the scalars of a text in YAML; none where it is no YAML.

    What an alias stands for is told at its anchor only.
    """
    found: dict[Path, Leaf] = {}
    readable = yaml_readable(text.removeprefix("\ufeff"))
    try:
        nodes = list(yaml.compose_all(readable, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return {}
    seen: set[int] = set()
    for number, node in enumerate(nodes):
        for path, scalar in _walk(node, (number,), seen):
            mark = scalar.start_mark
            line = mark.line + 1 if mark else 1
            found[path] = Leaf(value=scalar.value, line=line, plain=scalar.style is None)
    return found


def yaml_readable(text: str) -> str:
    """Return a file's text as libyaml takes it, as long as before: bytes that are no UTF-8 go."""
    return _NO_UTF8.sub("\ufffd", text)


def moved_variables(
    before: Mapping[str, Mapping[Path, Leaf]], after: Mapping[str, Mapping[Path, Leaf]]
) -> frozenset[str]:
    """Return the variables that change, by themselves or by a variable in them.

    Both sides are the leaves of files by their path; a variable is an outermost key.
    """
    moved = set()
    asked: dict[str, set[str]] = {}  # by variable: those that it depends on
    for file, leaves in before.items():
        new = after.get(file, leaves)
        for path, leaf in leaves.items():
            variable = variable_of(path)
            if variable is None:
                continue
            if path not in new or new[path].value != leaf.value:
                moved.add(variable)
            if needed := variables_of(leaf.value):
                asked.setdefault(variable, set()).update(needed)
    size = -1
    while len(moved) != size:
        size = len(moved)
        moved |= {variable for variable, needed in asked.items() if needed & moved}
    return frozenset(moved)


def variable_of(path: Path) -> str | None:
    """Return the outermost key of a path, or None where the document is a list."""
    return path[1] if len(path) > 1 and isinstance(path[1], str) else None


def _walk(
    node: yaml.Node | None, path: Path, seen: set[int]
) -> Iterator[tuple[Path, yaml.ScalarNode]]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield path, node
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, (*path, number), seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else str(key)
            yield from _walk(value, (*path, name), seen)
