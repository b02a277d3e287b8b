"""The regular expressions of `includes` and `excludes`, which are searched for in references.

An expression is changed where a whole name stands in it, and only if it then finds the same
images under their new names as it found under their old ones. Whatever no longer finds an image
is undecided, and the expression that would find it is said.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from lamina.errors import Fault
from lamina.migrate.edit import Edit, Found, Kept, line_of
from lamina.migrate.names import Names, Renamed
from lamina.migrate.tripleo.names import FULL
from lamina.migrate.tripleo.setting import Renaming, Setting
from lamina.migrate.tripleo.yaml_nodes import inside, readable

# A whole name within an expression: not the beginning or the end of a longer one.
_FULL = re.compile(rf"(?<![A-Za-z0-9_-]){FULL.pattern}(?![A-Za-z0-9_-])")
_MOST_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One list of expressions."""

    path: str
    text: str
    items: tuple[yaml.ScalarNode, ...]
    what: str  # `includes` or `excludes`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pattern:
    """One expression, as it is and as it will be."""

    node: yaml.ScalarNode
    before: re.Pattern[str]
    after: re.Pattern[str]
    edits: tuple[Edit, ...]


def read_filter(found: Filter, setting: Setting, names: Names) -> Found:
    """Return what becomes of the expressions of a list, with what its entry sets."""
    patterns: list[_Pattern] = []
    faults: list[Fault] = []
    for node in found.items:
        try:
            patterns.append(_pattern(found, node, setting, names))
        except re.error as error:
            message = f"'{node.value}' is no regular expression: {error}"
            faults.append(Fault(_place(found, node), message, "correct it"))
    lost = dict(_lost(found, patterns, setting, names))
    faults.extend(lost.values())
    kept = [
        Kept(
            path=found.path,
            line=line_of(found.text, pattern.node.start_mark.index),
            name=pattern.node.value,
            reason=f"an expression of {found.what}, which finds what it found",
        )
        for pattern in patterns
        if not pattern.edits and pattern not in lost
    ]
    edits = tuple(edit for pattern in patterns for edit in pattern.edits)
    return Found(edits=edits, kept=tuple(kept), undecided=tuple(faults))


def compiled(expression: str) -> re.Pattern[str]:
    """Return a user's expression, without the warnings that are for its author."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(expression)


def _pattern(
    found: Filter,
    node: yaml.ScalarNode,
    setting: Setting,
    names: Names,
) -> _Pattern:
    before = compiled(node.value)
    unchanged = _Pattern(node=node, before=before, after=before, edits=())
    edits = tuple(_edits(found, node, names))
    text, span = found.text, inside(found.text, node)
    shift, part = span.start, text[span]
    for edit in reversed(edits):
        part = part[: edit.start - shift] + edit.new + part[edit.end - shift :]
    head, tail = text[node.start_mark.index : shift], text[span.stop : node.end_mark.index]
    written = readable(f"{head}{part}{tail}")
    after = compiled(str(yaml.safe_load(written))) if edits else before
    same = all(
        _any(before, renaming.before) == _any(after, renaming.after)
        for renaming in setting.renamings(names)
    ) and all(
        bool(before.search(other)) == bool(after.search(other)) for other in setting.others(names)
    )
    return _Pattern(node=node, before=before, after=after, edits=edits) if same else unchanged


def _edits(found: Filter, node: yaml.ScalarNode, names: Names) -> Iterator[Edit]:
    """Yield the whole names that stand in an expression."""
    span = inside(found.text, node)
    for name in _FULL.finditer(found.text, span.start, span.stop):
        told = names.rename(name["name"], distro=name["distro"], type_=name["type"])
        if isinstance(told, Renamed):
            yield Edit(
                path=found.path,
                start=name.start(),
                end=name.end(),
                old=name[0],
                new=told.new,
                image=told.image.id.name,
                kind=told.image.kind,
                reason=f"{told.reason}; in an expression of {found.what}",
            )


def _lost(
    found: Filter, patterns: Sequence[_Pattern], setting: Setting, names: Names
) -> Iterator[tuple[_Pattern, Fault]]:
    """Yield, for each expression, the images that no expression of the list finds any more."""
    renamings = tuple(setting.renamings(names))
    lost = [
        renaming
        for renaming in renamings
        if any(_any(pattern.before, renaming.before) for pattern in patterns)
        and not any(_any(pattern.after, renaming.after) for pattern in patterns)
    ]
    for pattern in patterns:
        mine = [renaming for renaming in lost if _any(pattern.before, renaming.before)]
        if not mine:
            continue
        shown = [renaming.image.id.name for renaming in mine[:_MOST_SHOWN]]
        more = f" and {len(mine) - len(shown)} more" if len(mine) > len(shown) else ""
        message = (
            f"'{pattern.node.value}' of {found.what} does not find the new names of "
            f"{', '.join(shown)}{more}"
        )
        remedy = f"add '{_finding(pattern, mine, setting, names)}' to {found.what}"
        yield pattern, Fault(_place(found, pattern.node), message, remedy)


def _finding(pattern: _Pattern, lost: Sequence[Renaming], setting: Setting, names: Names) -> str:
    """Return an expression that finds the lost images by their new names.

    It is a short one if `pattern` finds every image.
    """
    prefixes = setting.infra_prefixes(pattern.before, names)
    prefix = prefixes[0] if len(prefixes) == 1 else ""
    if prefix and setting.finds_all(pattern.before, names):
        return f"/{prefix}"
    called = [renaming.image.id.name for renaming in lost]
    shown = f"({'|'.join(called)})" if len(called) > 1 else called[0]
    lead = f"/{prefix}" if len(prefixes) == 1 else "-"
    return f"{lead}{shown}{setting.suffix}:"


def _any(pattern: re.Pattern[str], references: Sequence[str]) -> bool:
    return any(pattern.search(reference) for reference in references)


def _place(found: Filter, node: yaml.ScalarNode) -> str:
    return f"{found.path}:{line_of(found.text, node.start_mark.index)}"
