"""The proof of a moved environment: its entries choose the images that they chose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from lamina.errors import Fault
from lamina.migrate.edit import line_of
from lamina.migrate.names import Names
from lamina.migrate.tripleo.entries import Entry, entries_of
from lamina.migrate.tripleo.patterns import compiled

_LOOK = "see which expression is to find it"


def compare_choices(path: str, before: str, after: str, names: Names) -> tuple[Fault, ...]:
    """Return where an environment chooses other images than before, under their new names."""
    try:
        old, new = entries_of(before), entries_of(after)
    except yaml.YAMLError:
        return ()
    if len(old) != len(new):
        return (Fault(path, "it has another number of entries", "see what else was changed"),)
    faults: list[Fault] = []
    for one, other in zip(old, new, strict=True):
        place = next(
            (f"{path}:{line_of(after, n.start_mark.index)}" for n in other.understood), path
        )
        faults.extend(_differences(place, one, other, names))
    return tuple(faults)


def _differences(place: str, old: Entry, new: Entry, names: Names) -> Iterator[Fault]:
    """Yield the images that an entry chooses or leaves, and did not before."""
    if {key: node.value for key, node in old.sets.items()} != {
        key: node.value for key, node in new.sets.items()
    }:
        yield Fault(place, "it sets something else", "see what else was changed")
    setting = new.setting(names)
    for what in sorted({*old.chooses, *new.chooses}):
        before = patterns_of(old.chooses.get(what, ()))
        after = patterns_of(new.chooses.get(what, ()))
        for image in setting.renamings(names):
            name, now = image.image.id.name, _found(after, image.after)
            if _found(before, image.before) and not now:
                yield Fault(place, f"{what} do not find '{name}' any more", _LOOK)
            # An expression may have been written for the new name before.
            if now and not _found(before, (*image.before, *image.after)):
                yield Fault(place, f"{what} find '{name}', and did not before", _LOOK)
        for other in setting.others(names):
            if _found(before, (other,)) != _found(after, (other,)):
                yield Fault(place, f"{what} do not find '{other}' as before", _LOOK)


def patterns_of(nodes: Sequence[yaml.ScalarNode]) -> tuple[re.Pattern[str], ...]:
    """Return the expressions; one that is none finds nothing, and is told by the migration."""
    patterns = []
    for node in nodes:
        try:
            patterns.append(compiled(node.value))
        except re.error:
            continue
    return tuple(patterns)


def _found(patterns: Sequence[re.Pattern[str]], references: Sequence[str]) -> bool:
    return any(pattern.search(reference) for pattern in patterns for reference in references)
