"""Units of small packages, and the interpreter that compiles their modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.backends.pythons import PUBLIC, module_package

from lamina.backends.deb.bytecode import compile_modules
from lamina.backends.deb.unit import make_unit
from lamina.engine.unit import TREE, UnitFacts
from lamina.model.digest import Digest

MIXED = '''"""Text."""
KNOWN = frozenset({"one", "two", "three", "four", "five"})
def find(name, *, among=("a", "b", 1, 2.5, None)):
    return name in {"alpha", "beta", "gamma"} or name in among or f"{name!r:>{len(name)}}"
class Thing:
    long = "a text of several words, not a name " * 3
'''


@dataclass(frozen=True, slots=True)
class Compiler:
    """A folder for units, and the trees that an interpreter runs from, topmost first."""

    folder: Path
    interpreter: tuple[Path, ...]

    def make(self, package: Path) -> tuple[Path, UnitFacts]:
        """Make a unit, whose modules are not yet compiled."""
        place = self._new("unit")
        return place, make_unit(package, place, Digest.of(package.read_bytes()))

    def compile(self, *packages: Path) -> Sequence[tuple[Path, UnitFacts]]:
        """Make units and compile their modules in one go."""
        made = dict(self.make(package) for package in packages)
        compiled = compile_modules(made, self.interpreter, self._new("compiling"))
        return tuple(compiled.items())

    def package(self, name: str, text: str = MIXED, **options: int) -> Path:
        """Write a package with a public module of its own."""
        return module_package(self.folder, name, {f"{PUBLIC}/{name}.py": text}, **options)

    def _new(self, stem: str) -> Path:
        place = next(p for n in count() if not (p := self.folder / f"{stem}-{n}").exists())
        place.mkdir()
        return place


def caches(unit_: Path) -> Mapping[str, bytes]:
    """Return the compiled modules in a unit by path."""
    tree = unit_ / TREE
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*.pyc")}
