"""Compiled Python modules as part of units: made once, where every image would make them itself.

Packages with Python modules call py3compile(1) as they are configured. What it makes depends on the
package and the interpreter alone, so it is made with the unit, and the call finds it done. So it is
with Python's own library, which the interpreter's packages compile by other calls. Which calls are
foreseen is said in `python_calls` and `library`.

Sources: py3compile and debpython (python3-minimal), PEP 3147 and PEP 552.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lamina.backends.deb.library import Library, find_library
from lamina.backends.deb.python_calls import are_for, modules_of
from lamina.backends.deb.python_versions import default_minor
from lamina.engine import sandbox
from lamina.engine.merged import make_links
from lamina.engine.sandbox import Bind, Call, Sandbox
from lamina.engine.stack import ancestors
from lamina.engine.unit import TREE, Directory, Interpreter, UnitFacts
from lamina.model.digest import Digest, canonical_json
from lamina.model.lock import UnitRef

_PROVIDER = "python3-minimal"  # has py3compile, and depends on the interpreter
_DECIDING = re.compile(r"(lib)?python3(\.\d+)?(-minimal|-stdlib)?")
_CACHE = "__pycache__"

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
_COMMAND = ("/usr/bin/python3", "-I", "-S", "-B", "-c", _PROGRAM, _LIST)
_VARIABLES = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    # Modules are then compared by their content and not by their time.
    "SOURCE_DATE_EPOCH": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The modules of one unit that are to be compiled."""

    called: tuple[str, ...]  # by its calls of py3compile
    library: Library | None

    @property
    def modules(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.called, *(self.library.modules if self.library else ()))


def find_interpreter(line: Iterable[Sequence[UnitRef]]) -> Interpreter | None:
    """Return what compiles Python modules in this line of images, if anything does.

    `line` has the units of each, the oldest ancestor first.
    """
    units: list[UnitRef] = []
    for own in line:
        units += own
        if any(unit.name == _PROVIDER for unit in own):
            deciding = sorted(unit for unit in units if is_interpreter(unit.name))
            identity = Digest.of(canonical_json([str(unit.digest) for unit in deciding]))
            return Interpreter(identity=identity, units=tuple(units))
    return None


def is_interpreter(package: str) -> bool:
    """Tell whether a package is part of an interpreter, and so decides what modules compile to."""
    return _DECIDING.fullmatch(package) is not None


def compile_modules(
    units: Mapping[Path, UnitFacts], interpreter: Sequence[Path], folder: Path
) -> Mapping[Path, UnitFacts]:
    """Compile the modules of units that are not yet kept, and return the units' facts then.

    `units` are by folder. `interpreter` are the trees that it runs from, topmost first, and
    `folder` is empty. A unit of which a module cannot be compiled is left as it is, and has no
    foreseen modules any more: its images compile them, and tell what is wrong.
    """
    minor = default_minor(interpreter)
    meant = {
        place: facts if are_for(minor, facts, place / TREE) else replace(facts, compiles=())
        for place, facts in units.items()
    }
    wanted = {place: _work(facts, interpreter) for place, facts in meant.items()}
    return {
        place: _kept(place / TREE, meant[place], work, upper)
        for number, turn in enumerate(_turns(wanted))
        for upper in [_compile(turn, interpreter, folder / str(number))]
        for place, work in turn.items()
    }


def _work(facts: UnitFacts, interpreter: Iterable[Path]) -> _Work:
    return _Work(
        called=modules_of(facts.compiles, facts.files),
        library=find_library(facts.library, interpreter) if facts.library else None,
    )


def _turns(wanted: Mapping[Path, _Work]) -> Sequence[Mapping[Path, _Work]]:
    """Return what is compiled in one go: units of which no two have a module at the same path."""
    turns: list[tuple[set[str], dict[Path, _Work]]] = []
    for place, work in wanted.items():
        free = (turn for turn in turns if turn[0].isdisjoint(work.modules))
        taken, units = next(free, None) or (set(), {})
        if not units:
            turns.append((taken, units))
        taken.update(work.modules)
        units[place] = work
    return [units for _, units in turns]


def _compile(turn: Mapping[Path, _Work], interpreter: Sequence[Path], folder: Path) -> Path:
    """Compile modules of units in one sandbox, and return where that left its files."""
    folder.mkdir()
    names = folder / "modules"
    called = [f"/{module}" for work in turn.values() for module in work.called]
    names.write_bytes(os.fsencode("\0".join(called)))
    box = Sandbox(
        lowers=(*(place / TREE for place in turn), *interpreter),
        folder=folder / "box",
        binds=(Bind(source=names, target=_LIST),),
    )
    box.folder.mkdir()
    sandbox.prepare(box)
    make_links(box.upper, interpreter)
    # The library last: its calls keep what they import.
    libraries = [work.library.argv for work in turn.values() if work.library]
    commands = (*((_COMMAND,) if called else ()), *libraries)
    if commands:
        sandbox.run(box, [Call(argv=argv, environment=_VARIABLES) for argv in commands])
    return box.upper


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


def _kept(tree: Path, facts: UnitFacts, work: _Work, upper: Path) -> UnitFacts:
    """Move the modules that were compiled into a unit's tree, and return its facts."""
    compiled = _compiled(upper, work.modules)
    if compiled is None:
        return replace(facts, compiles=(), library=None)
    owner = work.library.tree if work.library else tree
    caches = sorted({path.rpartition("/")[0] for path in compiled})
    folders = [folder for cache in caches for folder in _make_folders(tree, cache, owner)]
    size = facts.size
    for path, place in compiled.items():
        os.utime(place, (facts.epoch, facts.epoch))
        size += place.stat().st_size
        place.rename(tree / path)
    for filled in {*caches, *(folder.path for folder in folders)}:
        os.utime(tree / filled, (facts.epoch, facts.epoch))
    return replace(
        facts,
        size=size,
        files=tuple(sorted((*facts.files, *compiled))),
        directories=tuple(sorted((*facts.directories, *folders))),
        compiled=facts.compiles,
        library=facts.library if work.library else None,
        left=work.library.left if work.library else (),
        derived=tuple(sorted((*compiled, *(folder.path for folder in folders)))),
    )


def _make_folders(tree: Path, cache: str, owner: Path) -> Iterator[Directory]:
    """Make a directory for compiled modules, and yield what was made for it.

    Those above it are as in the tree of the modules' `owner`. The directory that all this lies in
    keeps its time.
    """
    for path in (*ancestors(cache), cache):
        place = tree / path
        if place.exists():
            continue
        right = Directory(path, 0o755, 0, 0)
        if path != cache:
            status = (owner / path).stat()
            right = Directory(path, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        times = place.parent.stat()
        place.mkdir()
        place.chmod(right.mode)
        os.chown(place, right.uid, right.gid)
        os.utime(place.parent, ns=(times.st_atime_ns, times.st_mtime_ns))
        yield right
