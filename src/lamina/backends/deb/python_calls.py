"""Calls of py3compile(1) in packages' scripts: which are foreseen, and what they compile.

Only the forms are foreseen that dh_python3 writes for nearly all packages: public modules or a
folder of private ones, for every version of Python or from one on. Whatever is unusual is left to
the images' own calls.

Source: py3compile and debpython (python3-minimal).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from lamina.backends.deb.python_versions import SINCE, excludes, is_since
from lamina.engine.unit import UnitFacts

PY3COMPILE = "py3compile"
_PUBLIC = re.compile(r"(.*/)?usr/lib/python3(?P<minor>\.\d+)?/(site|dist)-packages")
_EXCLUDES = "usr/share/python3/bcep/"  # a package's own list of modules not to compile
_QUOTE = "'"
_COMPILED = "/__pycache__/"

_ARGUMENTS = rf"-p (?P<package>\S+)(?: (?P<folder>/\S+))?(?: -V (?P<versions>{SINCE}))?"
_CALL = re.compile(rf"\s*py3compile (?P<arguments>{_ARGUMENTS})\s*")
_GUARD = re.compile(r"\s*(#|if (command -v|which) py3compile\b)")
_MENTION = re.compile(r"\bpy3compile\b")

_FINDER = """#!/bin/sh
# Calls whose modules lie compiled in the packages' units are done.
case "$*" in
{patterns}) exit 0 ;;
esac
exec /usr/bin/py3compile "$@"
"""


def foreseen_calls(
    package: str, postinst: str, files: Collection[str], links: Collection[str]
) -> tuple[str, ...]:
    """Return the arguments of a script's calls of py3compile; none unless all are foreseen.

    `files` are all of the package but directories, `links` those among them that are no plain
    files of its tree: symbolic links and configuration files.
    """
    calls = []
    for line in postinst.splitlines():
        if call := _CALL.fullmatch(line):
            if call["package"].partition(":")[0] != package:
                return ()
            calls.append(call["arguments"])
        elif _MENTION.search(line) and not _GUARD.match(line):
            return ()
    unusual = (
        any(_COMPILED in path for path in files)
        or any(found["minor"] for path in files if (found := _PUBLIC.match(path)))
        or any(path in links for path in modules_of(calls, files))
        or any(_QUOTE in call for call in calls)
    )
    return () if unusual else tuple(calls)


def modules_of(calls: Iterable[str], files: Iterable[str]) -> tuple[str, ...]:
    """Return the modules among a package's files that its foreseen calls compile."""
    modules = [path for path in files if path.endswith(".py")]
    folders = [_parsed(call)["folder"] for call in calls]
    found = (path for folder in folders for path in modules if _is_of(path, folder))
    return tuple(dict.fromkeys(found))


def are_for(minor: int | None, facts: UnitFacts, tree: Path) -> bool:
    """Tell whether a unit's calls compile all of its modules with Python 3.`minor`.

    A list of modules not to compile may be for versions of the past alone.
    """
    lists = [tree / path for path in facts.files if path.startswith(_EXCLUDES)]
    ranges = [found["versions"] for call in facts.compiles for found in [_parsed(call)]]
    return all(is_since(versions, minor) for versions in ranges if versions) and not any(
        place.is_symlink() or excludes(place.read_text(errors="surrogateescape"), minor)
        for place in lists
    )


def _parsed(call: str) -> re.Match[str]:
    found = re.fullmatch(_ARGUMENTS, call)
    if found is None:
        raise ValueError(f"no call of py3compile that is foreseen: {call!r}")
    return found


def _is_of(module: str, folder: str | None) -> bool:
    """Tell whether a call for a folder, or for public modules, compiles this one."""
    if folder is None:
        return _PUBLIC.match(module) is not None
    return f"/{module}".startswith(folder)


def finder(facts: Iterable[UnitFacts]) -> str:
    """Return the program to be called in place of py3compile; empty if it is not needed."""
    calls = sorted(call for each in facts for call in each.compiled)
    # They hold no quote: `foreseen_calls` saw to that.
    return _FINDER.format(patterns=" |\\\n".join(f"'{call}'" for call in calls)) if calls else ""
