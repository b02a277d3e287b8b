"""Compiled modules of units: what compiles them, and what comes of it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backends.compiling import MIXED, Compiler, caches
from tests.backends.packages import (
    LONG_AGO,
    control_tarball,
    file,
    folder,
    link,
    tarball,
    write_package,
)
from tests.backends.pythons import (
    MD5SUMS,
    MOUNTED,
    PUBLIC,
    PYTHON,
    module_package,
    python_name,
    ref_of,
)

from lamina.backends.deb.bytecode import find_interpreter
from lamina.engine.unit import TREE, Directory
from lamina.model.digest import Digest
from lamina.model.lock import UnitRef
from lamina.oci.tree import scan_tree

PLAIN, PRIVATE = "-p sample", "-p sample /usr/share/sample"


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
        derived=(cache, added),
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
def test_an_empty_folder_for_compiled_modules_gets_them_and_the_package_s_time(
    compiler: Compiler,
) -> None:
    script = "#!/bin/sh\npy3compile -p sample\n"
    control = control_tarball("sample", scripts={"postinst": script}, members=[MD5SUMS])
    cache = f"{PUBLIC}/__pycache__"
    data = tarball([folder("./"), folder(f"./{cache}/", 0o775), file(f"./{PUBLIC}/sample.py")])
    package = write_package(compiler.folder / "sample.deb", control, data)
    ((place, facts),) = compiler.compile(package)
    (added,) = caches(place)
    assert facts.derived == (added,)
    assert Directory(cache, 0o775, 0, 0) in facts.directories
    assert (place / TREE / cache).stat().st_mtime == LONG_AGO


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


MINOR = int(python_name().partition(".")[2])
EXCLUSIONS = "usr/share/python3/bcep/sample"


@pytest.mark.real
@pytest.mark.parametrize(
    ("call", "exclusions", "number"),
    [
        (f"{PLAIN} -V 3.2-", None, 1),
        (f"{PLAIN} -V 3.{MINOR}-", None, 1),
        (f"{PLAIN} -V 3.{MINOR + 1}-", None, 0),
        (PLAIN, "# nothing\n", 1),
        (PLAIN, f"dir|-3.{MINOR}|/usr/lib/python3/dist-packages/sample\n", 1),
        (PLAIN, f"dir|-3.{MINOR + 1}|/usr/lib/python3/dist-packages/sample\n", 0),
        (PLAIN, "re|-3.2|/usr/lib|.*x.py\nre|3.2-|/usr/lib|.*x.py\n", 0),
    ],
)
def test_modules_are_compiled_that_are_meant_for_the_interpreter_s_version(
    call: str, exclusions: str | None, number: int, compiler: Compiler
) -> None:
    files = {f"{PUBLIC}/sample.py": MIXED}
    if exclusions is not None:
        files[EXCLUSIONS] = exclusions
    ((place, facts),) = compiler.compile(module_package(compiler.folder, "sample", files, call))
    assert len(caches(place)) == number
    assert facts.compiles == facts.compiled == (call,) * number


@pytest.mark.real
def test_a_list_of_exclusions_that_is_a_link_is_not_followed(compiler: Compiler) -> None:
    outside = compiler.folder / "outside"
    outside.write_text("")
    script = "#!/bin/sh\npy3compile -p sample\n"
    control = control_tarball("sample", scripts={"postinst": script}, members=[MD5SUMS])
    items = [folder("./"), file(f"./{PUBLIC}/sample.py", b"x = 1\n")]
    data = tarball([*items, link(f"./{EXCLUSIONS}", str(outside))])
    package = write_package(compiler.folder / "sample.deb", control, data)
    ((place, facts),) = compiler.compile(package)
    assert (caches(place), facts.compiles) == ({}, ())


@pytest.mark.real
def test_nothing_is_compiled_by_what_is_no_interpreter(compiler: Compiler, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for path in MOUNTED:
        Path(f"{empty}{path}").mkdir(parents=True)
    without = replace(compiler, interpreter=(empty,))
    ((place, facts),) = without.compile(without.package("sample"))
    assert (facts.compiles, facts.compiled) == ((), ())
    assert caches(place) == {}


@pytest.mark.real
def test_links_into_usr_that_no_package_brings_are_there_for_the_interpreter(
    compiler: Compiler, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(compiler.interpreter[0], bare, symlinks=True)
    for link_ in ("lib", "lib64"):
        (bare / link_).unlink()
    without = replace(compiler, interpreter=(bare,))
    ((place, facts),) = without.compile(without.package("sample"))
    assert facts.compiled == (PLAIN,)
    assert caches(place) == caches(compiler.compile(compiler.package("sample"))[0][0])


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


def test_the_packages_of_these_tests_are_what_a_lock_says_of_them(tmp_path: Path) -> None:
    package = module_package(tmp_path, "sample", {f"{PUBLIC}/sample.py": ""})
    assert ref_of(package).key == "sample_1.0_all"
