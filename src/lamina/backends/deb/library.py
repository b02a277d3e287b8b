"""Python's own library: what an interpreter's packages compile of it as they are configured.

`python3.N` and `python3.N-minimal` have scripts that compile the modules of `libpython3.N-stdlib`
and `libpython3.N-minimal` by calls of their own, without py3compile. What these make belongs to
the package with the script: an image may have the library and not the program that compiles it.
The scripts ask dpkg for the modules, and are told of those that do not lie compiled in a unit.

Source: the scripts of Debian's and Ubuntu's packages, the same from Python 3.9 on.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lamina.backends.deb.database import INFO
from lamina.engine.unit import LibraryCall, UnitFacts

_LISTED = re.compile(
    r"files=\$\((?:LC_ALL=\S+ )?"
    r"dpkg -L (?P<owner>lib(?P<python>python3\.\d+)-(?:minimal|stdlib)(?::\w+)?)\s+\| "
    r"sed -n '/\^\\/usr\\/lib\\/(?P=python)\\/\.\*\\\.py\$/p'(?: \| \$filt)?\)"
)
_COMPILED = re.compile(
    r"(?P<program>/usr/bin/(?P<python>python3\.\d+)) -E -S "
    r"(?P<script>/usr/lib/(?P=python)/py_compile\.py) \$files"
)
# Beside it stands one for optimised modules, where a configuration that nobody has asks for them.
_OPTIMISED = re.compile(r"/usr/bin/python3\.\d+ -E -S -O /usr/lib/python3\.\d+/py_compile\.py.*")
_MENTION = re.compile(r"\bpy_compile\b|\bfiles=")

DPKG = "dpkg"
_LISTER = """#!/bin/sh
# Scripts that ask for modules to compile them are told of those that do not lie compiled in a unit.
case "$DPKG_MAINTSCRIPT_PACKAGE $DPKG_MAINTSCRIPT_NAME $*" in
{cases}esac
exec /usr/bin/dpkg "$@"
"""
_CASE = """{asked})
    printf '%s' {left}
    exit 0 ;;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The modules that a call compiles, relative to the tree of the package that has them."""

    call: LibraryCall
    tree: Path
    modules: tuple[str, ...]  # in the order in which the call names them
    left: tuple[str, ...]  # those that only an image has: links to configuration files; absolute

    @property
    def argv(self) -> tuple[str, ...]:
        """The call with its modules."""
        return (*self.call.argv, *(f"/{module}" for module in self.modules))


def foreseen_library(postinst: str) -> LibraryCall | None:
    """Return what a script compiles of Python's library, if it does so in the usual way."""
    lines = [line.strip() for line in postinst.replace("\\\n", " ").splitlines()]
    lines = [line for line in lines if _MENTION.search(line) and not _OPTIMISED.fullmatch(line)]
    if len(lines) != 2:
        return None
    listed, compiled = _LISTED.fullmatch(lines[0]), _COMPILED.fullmatch(lines[1])
    if listed is None or compiled is None or listed["python"] != compiled["python"]:
        return None
    return LibraryCall(
        argv=(compiled["program"], "-E", "-S", compiled["script"]),
        owner=listed["owner"],
        folder=f"/usr/lib/{listed['python']}/",
    )


def find_library(call: LibraryCall, trees: Iterable[Path]) -> Library | None:
    """Return the modules that a call compiles, from the first tree of the package that has them."""
    place = f"{INFO}/{call.owner}.list"
    tree = next((tree for tree in trees if (tree / place).is_file()), None)
    if tree is None:
        return None
    listed = (tree / place).read_text(errors="surrogateescape").splitlines()
    named = [path for path in listed if path.startswith(call.folder) and path.endswith(".py")]
    there = [path for path in named if _is_in(tree, path.lstrip("/"))]
    return Library(
        call=call,
        tree=tree,
        modules=tuple(path.lstrip("/") for path in there),
        left=tuple(path for path in named if path not in there),
    )


def lister(facts: Iterable[UnitFacts]) -> str:
    """Return the program to be called in place of dpkg; empty if it is not needed."""
    cases = [
        _CASE.format(
            asked=shlex.quote(f"{each.name} postinst -L {each.library.owner}"),
            left=shlex.quote("".join(f"{path}\n" for path in each.left)),
        )
        for each in facts
        if each.library and each.derived
    ]
    return _LISTER.format(cases="".join(sorted(cases))) if cases else ""


def _is_in(tree: Path, path: str) -> bool:
    """Tell whether a path is a file of the tree, or a link to one beside it."""
    place = tree / path
    if not place.is_symlink():
        return place.is_file()
    beside = place.parent / place.readlink()
    return beside.parent == place.parent and not beside.is_symlink() and beside.is_file()
