"""Which containers a deployment recreates: those whose reference to an image changes.

A deployment recreates a container when its repository or tag is another, even if the image is the
same. A container is told by a mapping that has an `image`; what that depends on is followed
through variables, as Jinja reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from lamina.migrate.jinja import variables_of
from lamina.migrate.leaves import Leaf, Path, is_yaml, leaves_of, moved_variables, role_of
from lamina.migrate.render import NotVariablesError, Scope, UnrenderedError, Value, variables_in

_NAMES = ("container_name", "name")
# What only runs once, and is gone afterwards, is not recreated.
_ONCE = {"detach": ("false", "no"), "restart_policy": ("no", "never")}


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Restart:
    """A container that is recreated, and where it is described."""

    container: str
    path: str
    line: int


def restarts(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Restart, ...]:
    """Return the containers whose image changes; `after` has the texts that change, by path."""
    if not after:
        return ()
    old = {path: leaves_of(text) for path, text in before.items() if is_yaml(path)}
    new = {path: leaves_of(text) for path, text in after.items() if path in old}
    moved = moved_variables(old, new)

    @cache
    def scope(file: str) -> Scope:
        role = role_of(file)
        files = [path for path in old if role and path.startswith(f"{role}defaults/")]
        return Scope(*(_variables(before[path]) for path in (*files, file)))

    return tuple(
        sorted(
            Restart(container=_rendered(name, scope(file)), path=file, line=leaf.line)
            for file, leaves in old.items()
            for path, leaf in leaves.items()
            if path[-1] == "image"
            if new.get(file, leaves).get(path, leaf).value != leaf.value
            or variables_of(leaf.value) & moved
            if (name := _name(path[:-1], leaves))
        )
    )


def _variables(text: str) -> Mapping[str, Value]:
    """Return what a file sets; nothing where that cannot be read."""
    try:
        return variables_in(text)
    except NotVariablesError:
        return {}


def _rendered(name: str, scope: Scope) -> str:
    """Return a name as its own file and its role make it, or as it is written."""
    try:
        return str(scope.render(name))
    except UnrenderedError:
        return name


def _name(at: Path, leaves: Mapping[Path, Leaf]) -> str:
    """Return what the container described at a path is called; empty: it is none that stays."""
    for key, values in _ONCE.items():
        if (leaf := leaves.get((*at, key))) and leaf.value.lower() in values:
            return ""
    named = (leaves.get((*at, name)) for name in _NAMES)
    by_key = str(at[-1]) if len(at) > 2 and at[-2] == "services" else ""  # as Compose has it
    return next((leaf.value for leaf in named if leaf), by_key)
