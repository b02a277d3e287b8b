"""Every way in which a template's conditions can turn out: values for the variables they test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from itertools import product
from math import prod
from typing import TypeVar

from jinja2 import nodes


class Absent(Enum):
    """The value of a variable that nobody sets."""

    ABSENT = auto()


Value = str | int | float | bool | None | Absent
Case = Mapping[str, Value]

_OTHER = "another-value"
_N = TypeVar("_N", bound=nodes.Node)


def decisive(tree: nodes.Template) -> Mapping[str, tuple[Value, ...]]:
    """Return the variables that decide what a template renders, sorted, each with its values.

    These are the values that it is compared with and one besides, true and false where it is tested
    by itself, and none where a condition asks whether it is set.
    Variables that the template sets are left out.
    """
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    values: dict[str, list[Value]] = {}
    for condition in _conditions(tree):
        for name in _names(condition):
            known = values.setdefault(name, [])
            compared = list(_compared(condition, name))
            known.extend(compared)
            if _alone(condition, name):
                known.extend((True, False))
            if _may_be_absent(condition, name):
                known.append(Absent.ABSENT)
    return {
        name: tuple(_distinct((*found, *_others(found))))
        for name, found in sorted(values.items())
        if name not in own
    }


def merged(*variables: Mapping[str, tuple[Value, ...]]) -> Mapping[str, tuple[Value, ...]]:
    """Return the variables of several templates, with the values of all."""
    names = sorted({name for each in variables for name in each})
    return {
        name: tuple(_distinct(value for each in variables for value in each.get(name, ())))
        for name in names
    }


def count(variables: Mapping[str, tuple[Value, ...]]) -> int:
    """Return how many cases there are."""
    return prod(len(values) for values in variables.values())


def cases(variables: Mapping[str, tuple[Value, ...]]) -> Iterator[Case]:
    """Yield every combination of the variables' values, without those that are absent in it."""
    for chosen in product(*variables.values()):
        pairs = zip(variables, chosen, strict=True)
        yield {name: value for name, value in pairs if value is not Absent.ABSENT}


def _conditions(tree: nodes.Template) -> Iterator[nodes.Expr]:
    for kind in (nodes.If, nodes.CondExpr, nodes.For):
        for node in tree.find_all(kind):
            test: nodes.Expr | None = getattr(node, "test", None)
            if test is not None:
                yield test


def _names(condition: nodes.Expr) -> set[str]:
    return {name.name for name in _below(condition, nodes.Name)}


def _compared(condition: nodes.Expr, name: str) -> Iterator[Value]:
    """Yield the constants that a condition compares the variable with."""
    for compare in _below(condition, nodes.Compare):
        sides = [compare.expr, *(operand.expr for operand in compare.ops)]
        if any(isinstance(side, nodes.Name) and side.name == name for side in sides):
            for side in sides:
                yield from _constants(side)


def _constants(side: nodes.Expr) -> Iterator[Value]:
    if isinstance(side, nodes.Const):
        yield side.value
    elif isinstance(side, nodes.List | nodes.Tuple):
        for item in side.items:
            yield from _constants(item)


def _alone(condition: nodes.Expr, name: str) -> bool:
    """Tell whether the condition has the variable anywhere but in a comparison."""
    everywhere = sum(it.name == name for it in _below(condition, nodes.Name))
    compared = sum(
        it.name == name
        for compare in _below(condition, nodes.Compare)
        for it in _below(compare, nodes.Name)
    )
    return everywhere > compared


def _may_be_absent(condition: nodes.Expr, name: str) -> bool:
    """Tell whether the condition asks if the variable is set at all."""
    return any(
        isinstance(test.node, nodes.Name)
        and test.node.name == name
        and test.name in ("defined", "undefined", "default", "d")
        for test in (*_below(condition, nodes.Test), *_below(condition, nodes.Filter))
    )


def _others(found: Iterable[Value]) -> Iterator[Value]:
    """Yield values that differ from all that were found, of the kinds that were found."""
    texts = [value for value in found if isinstance(value, str)]
    numbers = [value for value in found if isinstance(value, int | float) and not _is_bool(value)]
    if texts:
        yield _OTHER
    if numbers:
        yield from (min(numbers) - 1, max(numbers) + 1)


def _is_bool(value: Value) -> bool:
    return isinstance(value, bool)


def _distinct(values: Iterable[Value]) -> Iterator[Value]:
    """Yield each value once; true is not one."""
    seen: set[tuple[type, Value]] = set()
    for value in values:
        if (type(value), value) not in seen:
            seen.add((type(value), value))
            yield value


def _below(node: nodes.Node, kind: type[_N]) -> Iterator[_N]:
    """Yield the nodes of a kind, the node itself included."""
    if isinstance(node, kind):
        yield node
    yield from node.find_all(kind)
