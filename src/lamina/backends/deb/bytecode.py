"""Compiled Python modules as part of units: made once, where every image would make them itself.

Packages with Python modules call py3compile(1) as they are configured. What it makes depends on the
package and the interpreter alone, so it is made with the unit, and the call finds it done. Only the
two plain forms of the call are foreseen, which dh_python3 writes for nearly all packages; whatever
is unusual is left to the images' own calls.

Sources: py3compile and debpython (python3-minimal), PEP 3147 and PEP 552.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lamina.engine import sandbox
from lamina.engine.merged import make_links
from lamina.engine.sandbox import Bind, Call, Sandbox
from lamina.engine.unit import TREE, Directory, Interpreter, UnitFacts
from lamina.model.digest import Digest, canonical_json
from lamina.model.lock import UnitRef

PY3COMPILE = "py3compile"
_PROVIDER = "python3-minimal"  # has py3compile, and depends on the interpreter
_DECIDING = re.compile(r"(lib)?python3(\.\d+)?(-minimal|-stdlib)?")
_PUBLIC = re.compile(r"(.*/)?usr/lib/python3(?P<minor>\.\d+)?/(site|dist)-packages")
_EXCLUDES = "usr/share/python3/bcep/"  # a package's own list of modules not to compile
_CACHE = "__pycache__"
_QUOTE = "'"
_PACKAGE_WORDS = 2  # in a call for a package's public modules: `-p NAME`

_Modules = tuple[str, ...]  # paths in a tree

_CALL = re.compile(r"\s*py3compile (?P<arguments>-p (?P<package>\S+)(?: /\S+)?)\s*")
_GUARD = re.compile(r"\s*(#|if (command -v|which) py3compile\b)")
_MENTION = re.compile(r"\bpy3compile\b")

_LIST = "/tmp/.lamina/modules"  # noqa: S108 - a path in the sandbox, whose /tmp is private
# What `python3 -m py_compile` does, which py3compile starts anew for each package.
_PROGRAM = r"""
import py_compile, sys
with open(sys.argv[1], "rb") as names:
    for name in names.read().decode("utf-8", "surrogateescape").split("\0"):
        try:
            py_compile.compile(name, doraise=True)
        except Exception:
            pass
"""
_VARIABLES = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    # _Modules are then compared by their content and not by their time.
    "SOURCE_DATE_EPOCH": "0",
}

_FINDER = """#!/bin/sh
# Calls whose modules lie compiled in the packages' units are done.
case "$*" in
{patterns}) exit 0 ;;
esac
exec /usr/bin/py3compile "$@"
"""


def find_interpreter(line: Iterable[Sequence[UnitRef]]) -> Interpreter | None:
    """Return what compiles Python modules in an image over this line of ancestors, if anything.

    `line` has the units of each, the oldest ancestor first. An image that brings the interpreter
    itself compiles its own modules.
    """
    units: list[UnitRef] = []
    for own in line:
        units += own
        if any(unit.name == _PROVIDER for unit in own):
            deciding = sorted(unit for unit in units if _DECIDING.fullmatch(unit.name))
            identity = Digest.of(canonical_json([str(unit.digest) for unit in deciding]))
            return Interpreter(identity=identity, units=tuple(units))
    return None


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
    compiled = [path for call in calls for path in _modules(call, files)]
    unusual = (
        any(path.startswith(_EXCLUDES) or f"/{_CACHE}/" in path for path in files)
        or any(found["minor"] for path in files if (found := _PUBLIC.match(path)))
        or any(path in links for path in compiled)
        or any(_QUOTE in call for call in calls)
    )
    return () if unusual else tuple(calls)


def compile_modules(
    units: Mapping[Path, UnitFacts], interpreter: Sequence[Path], folder: Path
) -> Mapping[Path, UnitFacts]:
    """Compile the modules of units that are not yet kept, and return the units' facts then.

    `units` are by folder. `interpreter` are the trees that it runs from, topmost first, and
    `folder` is empty. A unit of which a module cannot be compiled is left as it is, and has no
    foreseen calls any more: its images compile it, and tell what is wrong.
    """
    wanted = {
        place: tuple(
            dict.fromkeys(p for call in facts.compiles for p in _modules(call, facts.files))
        )
        for place, facts in units.items()
    }
    return {
        place: _kept(place / TREE, units[place], _compiled(upper, modules))
        for number, turn in enumerate(_turns(wanted))
        for upper in [_compile(turn, interpreter, folder / str(number))]
        for place, modules in turn.items()
    }


def _turns(wanted: Mapping[Path, _Modules]) -> Sequence[Mapping[Path, _Modules]]:
    """Return what is compiled in one go: units of which no two have a module at the same path."""
    turns: list[tuple[set[str], dict[Path, _Modules]]] = []
    for place, modules in wanted.items():
        free = (turn for turn in turns if turn[0].isdisjoint(modules))
        taken, units = next(free, None) or (set(), {})
        if not units:
            turns.append((taken, units))
        taken.update(modules)
        units[place] = modules
    return [units for _, units in turns]


def _compile(turn: Mapping[Path, _Modules], interpreter: Sequence[Path], folder: Path) -> Path:
    """Compile modules of units in one sandbox, and return where that left its files."""
    folder.mkdir()
    names = folder / "modules"
    names.write_bytes(os.fsencode("\0".join(f"/{m}" for each in turn.values() for m in each)))
    box = Sandbox(
        lowers=(*(place / TREE for place in turn), *interpreter),
        folder=folder / "box",
        binds=(Bind(source=names, target=_LIST),),
    )
    box.folder.mkdir()
    sandbox.prepare(box)
    make_links(box.upper, interpreter)
    argv = ("/usr/bin/python3", "-I", "-S", "-B", "-c", _PROGRAM, _LIST)
    sandbox.run(box, [Call(argv=argv, environment=_VARIABLES)])
    return box.upper


def finder(facts: Iterable[UnitFacts]) -> str:
    """Return the program to be called in place of py3compile; empty if it is not needed."""
    calls = sorted(call for each in facts for call in each.compiled)
    # They hold no quote: `foreseen_calls` saw to that.
    return _FINDER.format(patterns=" |\\\n".join(f"'{call}'" for call in calls)) if calls else ""


def _modules(call: str, files: Collection[str]) -> tuple[str, ...]:
    """Return the modules among a package's files that a foreseen call compiles."""
    words = call.split()
    modules = (path for path in files if path.endswith(".py"))
    if len(words) == _PACKAGE_WORDS:
        return tuple(path for path in modules if _PUBLIC.match(path))
    return tuple(path for path in modules if f"/{path}".startswith(words[-1]))


def _compiled(upper: Path, modules: Sequence[str]) -> Mapping[str, Path] | None:
    """Return where the sandbox left what goes to which path; None if a module is missing."""
    made: dict[str, Path] = {}
    for folder in {module.rpartition("/")[0] for module in modules}:
        cache = upper / folder / _CACHE
        for place in cache.iterdir() if cache.is_dir() else ():
            name = place.name.rsplit(".", 2)[0]  # of `NAME.cpython-313.pyc`
            made[f"{folder}/{name}.py"] = place
    if not made.keys() >= set(modules):
        return None
    return {
        f"{module.rpartition('/')[0]}/{_CACHE}/{made[module].name}": made[module]
        for module in modules
    }


def _kept(tree: Path, facts: UnitFacts, compiled: Mapping[str, Path] | None) -> UnitFacts:
    """Move compiled modules into a unit's tree, and return its facts."""
    if compiled is None:
        return replace(facts, compiles=())
    directories = {directory.path: directory for directory in facts.directories}
    size = facts.size
    for path, place in compiled.items():
        cache = path.rpartition("/")[0]
        if cache not in directories:
            _make_cache(tree / cache)
            directories[cache] = Directory(cache, 0o755, 0, 0)
        os.utime(place, (facts.epoch, facts.epoch))
        size += place.stat().st_size
        place.rename(tree / path)
    for cache in {path.rpartition("/")[0] for path in compiled}:
        os.utime(tree / cache, (facts.epoch, facts.epoch))
    return replace(
        facts,
        size=size,
        files=tuple(sorted((*facts.files, *compiled))),
        directories=tuple(sorted(directories.values())),
        compiled=facts.compiles,
    )


def _make_cache(cache: Path) -> None:
    """Make a directory for compiled modules; the one that it lies in keeps its time."""
    times = cache.parent.stat()
    cache.mkdir()
    cache.chmod(0o755)
    os.chown(cache, 0, 0)
    os.utime(cache.parent, ns=(times.st_atime_ns, times.st_mtime_ns))
