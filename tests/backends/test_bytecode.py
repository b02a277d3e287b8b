"""Compiled modules of units: which calls are foreseen, what compiles them, what comes of it."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from tests.backends.packages import LONG_AGO, control_tarball, file, folder, tarball, write_package
from tests.backends.pythons import (
    MD5SUMS,
    MOUNTED,
    PUBLIC,
    PYTHON,
    interpreter_package,
    module_package,
    ref_of,
)

from lamina.backends.deb.bytecode import (
    compile_modules,
    find_interpreter,
    finder,
    foreseen_calls,
)
from lamina.backends.deb.unit import make_unit
from lamina.engine.unit import TREE, Directory, UnitFacts
from lamina.model.digest import Digest
from lamina.model.lock import UnitRef
from lamina.oci.tree import scan_tree

USUAL = """\
#!/bin/sh
set -e
# Automatically added by dh_python3
if command -v py3compile >/dev/null 2>&1; then
	py3compile -p sample
fi
if command -v pypy3compile >/dev/null 2>&1; then
	pypy3compile -p sample  || true
fi
"""
MODULES = (f"{PUBLIC}/sample.py", "usr/share/sample/private.py")
PLAIN, PRIVATE = "-p sample", "-p sample /usr/share/sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A script, a package's files beside the usual ones, and the calls that are foreseen."""

    script: str = "py3compile -p sample\n"
    files: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


FORESEEN = {
    "as dh_python3 writes it": Foreseen(script=USUAL, calls=(PLAIN,)),
    "a line of its own": Foreseen(calls=(PLAIN,)),
    "a folder of private modules": Foreseen(script=f"  py3compile {PRIVATE}\t\n", calls=(PRIVATE,)),
    "both": Foreseen(script=f"py3compile {PLAIN}\npy3compile {PRIVATE}\n", calls=(PLAIN, PRIVATE)),
    "a guard of the older sort": Foreseen(
        script=f"if which py3compile >/dev/null 2>&1; then\n\tpy3compile {PLAIN}\nfi\n",
        calls=(PLAIN,),
    ),
    "a comment that speaks of it": Foreseen(
        script=f"  # py3compile -V 3.12 does more\npy3compile {PLAIN}\n", calls=(PLAIN,)
    ),
    "no script": Foreseen(script=""),
    "a script without a call": Foreseen(script="#!/bin/sh\nexit 0\n"),
    "another interpreter's call alone": Foreseen(script="pypy3compile -p sample\n"),
    "a version": Foreseen(script="py3compile -p sample -V 3.12\n"),
    "a version before a folder": Foreseen(
        script="py3compile -p sample /usr/share/sample -V 3.2-\n"
    ),
    "an exclusion": Foreseen(script="py3compile -p sample /usr/share/sample -X '.*'\n"),
    "two folders": Foreseen(script="py3compile -p sample /usr/share/sample /usr/lib/sample\n"),
    "a folder alone": Foreseen(script="py3compile /usr/share/sample\n"),
    "a path that is not absolute": Foreseen(script="py3compile -p sample usr/share\n"),
    "another package": Foreseen(script="py3compile -p other\n"),
    "something after it": Foreseen(script="py3compile -p sample || true\n"),
    "in the line of its guard": Foreseen(
        script="if command -v py3compile; then py3compile -p sample; fi\n"
    ),
    "by its path": Foreseen(script="/usr/bin/py3compile -p sample\n"),
    "one foreseen and one not": Foreseen(
        script="py3compile -p sample\npy3compile -p sample -V 3.12 /usr/share/sample\n"
    ),
    "a quote": Foreseen(script="py3compile -p sample /usr/share/sam'ple\n"),
    "compiled modules of its own": Foreseen(
        files=(f"{PUBLIC}/__pycache__/sample.cpython-313.pyc",)
    ),
    "a list of what not to compile": Foreseen(files=("usr/share/python3/bcep/sample",)),
    "modules of one version": Foreseen(files=("usr/lib/python3.13/dist-packages/sample.py",)),
    "a link to a module": Foreseen(links=(f"{PUBLIC}/linked.py",)),
    "a link that the call leaves alone": Foreseen(
        links=("usr/share/sample/linked.py", f"{PUBLIC}/data"), calls=(PLAIN,)
    ),
    "a private link": Foreseen(
        script=f"py3compile {PRIVATE}\n", links=("usr/share/sample/linked.py",)
    ),
}


@pytest.mark.parametrize("case", FORESEEN)
def test_calls_are_foreseen_that_mean_the_same_everywhere(case: str) -> None:
    given = FORESEEN[case]
    files = {*MODULES, *given.files, *given.links}
    assert foreseen_calls("sample", given.script, files, set(given.links)) == given.calls


def unit(name: str, version: str = "1") -> UnitRef:
    return UnitRef(
        name=name,
        version=version,
        architecture="amd64",
        repository="debian",
        path=f"pool/{name}.deb",
        size=1,
        digest=Digest.of(f"{name} {version}".encode()),
    )


BASE = (unit("libc6"), unit("dpkg"))
PYTHON_UNITS = tuple(
    map(unit, ("libpython3.13-minimal", "python3.13-minimal", "python3-minimal", "python3"))
)


def test_the_interpreter_is_that_of_the_nearest_ancestors_up_to_the_one_that_brings_it() -> None:
    line = [BASE, PYTHON_UNITS, (unit("curl"),)]
    found = find_interpreter(line)
    assert found is not None
    assert found.units == (*BASE, *PYTHON_UNITS)
    assert find_interpreter(line[:2]) == found


@pytest.mark.parametrize("line", [[], [BASE], [BASE, (unit("python3.13-minimal"),)]])
def test_without_python3_minimal_nothing_compiles(line: Sequence[Sequence[UnitRef]]) -> None:
    assert find_interpreter(line) is None


@pytest.mark.parametrize("ref", PYTHON_UNITS, ids=lambda ref: ref.name)
def test_another_version_of_the_interpreter_is_another_interpreter(ref: UnitRef) -> None:
    changed = [replace(unit(ref.name, "2")) if each == ref else each for each in PYTHON_UNITS]
    assert find_interpreter([BASE, PYTHON_UNITS]) != find_interpreter([BASE, changed])


def test_other_packages_and_their_order_make_no_other_interpreter() -> None:
    found = find_interpreter([BASE, PYTHON_UNITS])
    others = (unit("libc6", "2"), unit("python3-yaml"), unit("python3-apt", "3"))
    assert find_interpreter([[*others, *PYTHON_UNITS]]) == found
    assert find_interpreter([BASE, PYTHON_UNITS[::-1], others]) == found


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of a small interpreter."""
    place = tmp_path_factory.mktemp("interpreter")
    (place / "unit").mkdir()
    make_unit(interpreter_package(place), place / "unit", Digest.of(b""))
    return place / "unit" / TREE


MIXED = '''"""Text."""
KNOWN = frozenset({"one", "two", "three", "four", "five"})
def find(name, *, among=("a", "b", 1, 2.5, None)):
    return name in {"alpha", "beta", "gamma"} or name in among or f"{name!r:>{len(name)}}"
class Thing:
    long = "a text of several words, not a name " * 3
'''


@dataclass(frozen=True, slots=True)
class Compiler:
    """A folder for units, and the interpreter that compiles their modules."""

    folder: Path
    interpreter: Path

    def make(self, package: Path) -> tuple[Path, UnitFacts]:
        """Make a unit, whose modules are not yet compiled."""
        place = self._new("unit")
        return place, make_unit(package, place, Digest.of(package.read_bytes()))

    def compile(self, *packages: Path) -> Sequence[tuple[Path, UnitFacts]]:
        """Make units and compile their modules in one go."""
        made = dict(self.make(package) for package in packages)
        compiled = compile_modules(made, [self.interpreter], self._new("compiling"))
        return tuple(compiled.items())

    def package(self, name: str, text: str = MIXED, **options: int) -> Path:
        """Write a package with a public module of its own."""
        return module_package(self.folder, name, {f"{PUBLIC}/{name}.py": text}, **options)

    def _new(self, stem: str) -> Path:
        place = next(p for n in count() if not (p := self.folder / f"{stem}-{n}").exists())
        place.mkdir()
        return place


@pytest.fixture
def compiler(tmp_path: Path, interpreter: Path) -> Compiler:
    return Compiler(tmp_path, interpreter)


def caches(unit_: Path) -> Mapping[str, bytes]:
    """Return the compiled modules in a unit by path."""
    tree = unit_ / TREE
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*.pyc")}


def reference(module: str, text: str, place: Path) -> bytes:
    """Return what the interpreter makes of a module by itself."""
    source = place / "reference.py"
    source.write_text(text)
    program = (
        "import py_compile, sys; py_compile.compile(sys.argv[1], cfile=sys.argv[2], "
        "dfile=sys.argv[3], doraise=True, "
        "invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)"
    )
    target = place / "reference.pyc"
    words = (PYTHON, "-I", "-S", "-B", "-c", program, source, target, f"/{module}")
    subprocess.run(words, check=True)
    return target.read_bytes()


@pytest.mark.real
def test_a_unit_gets_what_the_interpreter_makes_of_its_modules(compiler: Compiler) -> None:
    modules = {
        f"{PUBLIC}/sample/__init__.py": MIXED,
        f"{PUBLIC}/sample/größe.py": "x = 1\n",
        f"{PUBLIC}/sample/data.txt": "no module",
        f"{PUBLIC}/sample/dotted.name.py": "y = 2\n",
        f"{PUBLIC}/sample/dotted.py": "z = 3\n",
        "usr/share/sample/private.py": MIXED,
        "usr/share/other/left.py": MIXED,
    }
    package = module_package(compiler.folder, "sample", modules, PLAIN, PRIVATE)
    ((place, facts),) = compiler.compile(package)
    assert facts.compiled == facts.compiles == (PLAIN, PRIVATE)
    tag = PYTHON.resolve().name.removeprefix("python").replace(".", "")
    wanted = [path for path in modules if path.endswith(".py") and "other" not in path]
    assert caches(place) == {
        str(Path(path).parent / "__pycache__" / f"{Path(path).stem}.cpython-{tag}.pyc"): reference(
            path, modules[path], compiler.folder
        )
        for path in wanted
    }


@pytest.mark.real
def test_the_facts_tell_of_all_that_was_added(compiler: Compiler) -> None:
    package = compiler.package("sample")
    before = compiler.make(package)[1]
    ((place, facts),) = compiler.compile(package)
    (added,) = caches(place)
    cache = str(Path(added).parent)
    assert facts == replace(
        before,
        size=before.size + (place / TREE / added).stat().st_size,
        files=tuple(sorted((*before.files, added))),
        directories=tuple(sorted((*before.directories, Directory(cache, 0o755, 0, 0)))),
        compiled=(PLAIN,),
    )
    there = {entry.path for entry in scan_tree(place / TREE)}
    assert there == {*facts.files, *(directory.path for directory in facts.directories)}


@pytest.mark.real
@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o444])
def test_what_is_added_is_root_s_and_as_old_as_the_package(compiler: Compiler, mode: int) -> None:
    mask = os.umask(0o077)
    try:
        ((place, facts),) = compiler.compile(compiler.package("sample", mode=mode))
    finally:
        os.umask(mask)
    tree = place / TREE
    for path in (added := (tree / next(iter(caches(place))))), added.parent, added.parents[1]:
        assert path.stat().st_mtime == facts.epoch == LONG_AGO
        assert (path.stat().st_uid, path.stat().st_gid) == (0, 0)
    assert stat.S_IMODE(added.parent.stat().st_mode) == 0o755
    # As py3compile makes it: its owner may always write, and nobody may run it.
    assert stat.S_IMODE(added.stat().st_mode) == (mode | 0o200) & 0o666


@pytest.mark.real
def test_a_unit_with_a_module_that_cannot_be_compiled_stays_as_it_was(compiler: Compiler) -> None:
    modules = {f"{PUBLIC}/good.py": MIXED, f"{PUBLIC}/bad.py": "def x(:\n"}
    bad = module_package(compiler.folder, "bad", modules)
    before = compiler.make(bad)
    (bad_place, bad_facts), (place, facts) = compiler.compile(bad, compiler.package("sample"))
    assert bad_facts == replace(before[1], compiles=())
    entries = [
        [replace(entry, source=None) for entry in scan_tree(place / TREE)]
        for place in (bad_place, before[0])
    ]
    assert entries[0] == entries[1]
    assert caches(bad_place) == {}
    assert facts.compiled == (PLAIN,)
    assert len(caches(place)) == 1


@pytest.mark.real
def test_a_call_without_modules_is_done(compiler: Compiler) -> None:
    package = module_package(compiler.folder, "sample", {"usr/share/doc/text": "x"})
    ((place, facts),) = compiler.compile(package)
    assert facts.compiled == (PLAIN,)
    assert caches(place) == {}


@pytest.mark.real
def test_nothing_is_compiled_by_what_is_no_interpreter(compiler: Compiler, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for path in MOUNTED:
        Path(f"{empty}{path}").mkdir(parents=True)
    without = replace(compiler, interpreter=empty)
    ((place, facts),) = without.compile(without.package("sample"))
    assert (facts.compiles, facts.compiled) == ((), ())
    assert caches(place) == {}


@pytest.mark.real
def test_the_same_bytes_come_whichever_units_are_compiled_beside_it(compiler: Compiler) -> None:
    packages = [
        compiler.package(name, MIXED.replace("Text", name) + f"{name} = 'alpha', 2.5, b'x'\n")
        for name in ("one", "two", "three")
    ]
    alone = [caches(compiler.compile(package)[0][0]) for package in packages]
    together = [caches(place) for place, _ in compiler.compile(*packages)]
    turned = [caches(place) for place, _ in compiler.compile(*packages[::-1])][::-1]
    assert alone == together == turned


@pytest.mark.real
def test_each_unit_s_own_module_is_compiled_where_two_have_the_same_path(
    compiler: Compiler,
) -> None:
    path = f"{PUBLIC}/common.py"
    packages = [
        module_package(compiler.folder, name, {path: f"name = {name!r}\n"})
        for name in ("one", "two")
    ]
    alone = [caches(compiler.compile(package)[0][0]) for package in packages]
    assert [caches(place) for place, _ in compiler.compile(*packages)] == alone


@pytest.mark.real
def test_python_modules_that_are_configuration_files_are_left_to_the_images(
    compiler: Compiler,
) -> None:
    control = control_tarball(
        "sample",
        conffiles=["/etc/sample/settings.py"],
        scripts={"postinst": "#!/bin/sh\npy3compile -p sample /etc/sample\n"},
        members=[MD5SUMS],
    )
    items = [
        *(folder("./"), folder("./etc/"), folder("./etc/sample/")),
        file("./etc/sample/settings.py", b"x = 1\n"),
    ]
    package = write_package(compiler.folder / "sample.deb", control, tarball(items))
    assert compiler.make(package)[1].compiles == ()


def found_by(program: str, words: Sequence[str], place: Path) -> str:
    """Return what is said to py3compile itself when the finder is called with these words."""
    real = place / "real"
    real.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    real.chmod(0o755)
    script = place / "py3compile"
    script.write_text(program.replace("/usr/bin/py3compile", str(real)))
    script.chmod(0o755)
    return subprocess.run([script, *words], check=True, capture_output=True, text=True).stdout


FACTS = UnitFacts(
    digest=Digest.of(b"x"), name="x", instance="x", version="1", architecture="all", epoch=0,
    size=0, conffiles=(), files=(), directories=(), links=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        ("-p one", ""),
        ("-p two /usr/share/two[x]*", ""),
        ("-p two /usr/share/twox", "-p|two|/usr/share/twox|"),
        ("-p one -V 3.13", "-p|one|-V|3.13|"),
        ("-p three", "-p|three|"),
        ("", "|"),
    ],
)
def test_the_finder_passes_on_what_is_not_done(words: str, passed: str, tmp_path: Path) -> None:
    program = finder(
        [
            replace(FACTS, compiles=("-p three",)),
            replace(FACTS, compiled=("-p one",)),
            replace(FACTS, compiled=("-p two /usr/share/two[x]*",)),
        ]
    )
    assert found_by(program, words.split(), tmp_path) == passed


def test_the_finder_is_the_same_in_any_order() -> None:
    facts = [replace(FACTS, compiled=(f"-p {name}",)) for name in ("b", "a", "c")]
    assert finder(facts) == finder(facts[::-1])


def test_no_finder_is_needed_where_nothing_was_compiled() -> None:
    assert finder([FACTS, replace(FACTS, compiles=("-p x",))]) == ""


def test_the_packages_of_these_tests_are_what_a_lock_says_of_them(tmp_path: Path) -> None:
    package = module_package(tmp_path, "sample", {f"{PUBLIC}/sample.py": ""})
    assert ref_of(package).key == "sample_1.0_all"
