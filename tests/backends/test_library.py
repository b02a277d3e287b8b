"""Python's own library: what scripts compile of it, and what of that is in a unit."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backends.compiling import MIXED, Compiler, caches
from tests.backends.packages import (
    LONG_AGO,
    Item,
    control_tarball,
    file,
    folder,
    link,
    tarball,
    write_package,
)
from tests.backends.pythons import MD5SUMS, PUBLIC, python_name

from lamina.backends.deb.library import find_library, foreseen_library, lister
from lamina.engine.unit import TREE, Directory, LibraryCall, UnitFacts
from lamina.model.digest import Digest
from lamina.oci.tree import scan_tree

# As the packages of Debian 12 and 13 have it, but for what else their scripts do.
MINIMAL = r"""
    if ls -L /usr/lib/python3.11/sitecustomize.py >/dev/null 2>&1; then
    filt='cat'
    else
    filt='fgrep -v sitecustomize.py'
    fi
    files=$(dpkg -L libpython3.11-minimal:amd64 \
        | sed -n '/^\/usr\/lib\/python3.11\/.*\.py$/p' | $filt)
    if [ -n "$files" ]; then
    /usr/bin/python3.11 -E -S /usr/lib/python3.11/py_compile.py $files
    if grep -sq '^byte-compile[^#]*optimize' /etc/python/debian_config; then
        /usr/bin/python3.11 -E -S -O /usr/lib/python3.11/py_compile.py $files
    fi
    else
    echo >&2 "python3.11-minimal: can't get files for byte-compilation"
    fi
"""
STDLIB = r"""
case "$1" in
    configure)
    files=$(LC_ALL=C.UTF8 dpkg -L libpython3.13-stdlib:amd64 | sed -n '/^\/usr\/lib\/python3.13\/.*\.py$/p')
    if [ -n "$files" ]; then
    /usr/bin/python3.13 -E -S /usr/lib/python3.13/py_compile.py $files
    if grep -sq '^byte-compile[^#]*optimize' /etc/python/debian_config; then
        /usr/bin/python3.13 -E -S -O /usr/lib/python3.13/py_compile.py $files
    fi
    else
    echo >&2 "python3.13: can't get files for byte-compilation"
    fi
esac
"""  # noqa: E501 - as it is


def the_call(python: str, owner: str) -> LibraryCall:
    argv = (f"/usr/bin/{python}", "-E", "-S", f"/usr/lib/{python}/py_compile.py")
    return LibraryCall(argv=argv, owner=owner, folder=f"/usr/lib/{python}/")


def test_the_calls_of_the_interpreter_s_packages_are_foreseen_whichever_version() -> None:
    minimal, stdlib = "libpython3.11-minimal:amd64", "libpython3.13-stdlib:amd64"
    assert foreseen_library(MINIMAL) == the_call("python3.11", minimal)
    assert foreseen_library(STDLIB) == the_call("python3.13", stdlib)


@pytest.mark.parametrize(
    ("usual", "unusual"),
    [
        ("-E -S /usr", "-E -S -v /usr"),
        ("py_compile.py $files\n", "py_compile.py $files || true\n"),
        ("py_compile.py $files\n", "py_compile.py -q $files\n"),
        ("/usr/bin/python3.13 -E -S /", "/usr/bin/python3.12 -E -S /"),
        ("/python3.13/py_compile.py $files\n", "/python3.12/py_compile.py $files\n"),
        ("lib\\/python3.13", "lib\\/python3.12"),
        (".*\\.py$", ".*[a-m]\\.py$"),
        ("/p')", "/p' | head -1)"),
        ("dpkg -L", "dpkg-query -L"),
        ("-L libpython3.13-stdlib", "-L libpython3.12-stdlib"),
        ("-L libpython3.13-stdlib", "-L something"),
        ("    files=", "    files=x\n    files="),
        ("esac\n", "esac\n/usr/bin/python3.13 -m py_compile /usr/share/x.py\n"),
        ("    files=", "    other="),
        ("/usr/bin/python3.13 -E -S /", "/usr/bin/true /"),
    ],
)
def test_a_script_that_does_otherwise_is_left_to_the_images(usual: str, unusual: str) -> None:
    assert usual in STDLIB
    assert foreseen_library(STDLIB.replace(usual, unusual)) is None


@pytest.mark.parametrize("script", ["", "#!/bin/sh\nexit 0\n", MINIMAL + STDLIB])
def test_a_script_without_just_one_such_call_compiles_no_library(script: str) -> None:
    assert foreseen_library(script) is None


LIBRARY = f"usr/lib/{python_name()}"
OWNER = f"lib{python_name()}-stdlib"
CALL = the_call(python_name(), OWNER)
MODULES = {
    f"{LIBRARY}/sample/second.py": MIXED,
    f"{LIBRARY}/sample/__init__.py": "x = 1\n",
    f"{LIBRARY}/sample/data.txt": "no module",
    f"{LIBRARY}/first.py": MIXED,
    f"{PUBLIC}/other.py": MIXED,
}


def library_package(
    place: Path, modules: Mapping[str, str] = MODULES, links: Sequence[Item] = ()
) -> Path:
    """Write the package that has the library, its folders with a mode of their own."""
    above = sorted({str(above) for path in modules for above in Path(path).parents} - {"."})
    items: list[Item] = [folder("./")]
    items += [folder(f"./{path}/", 0o2755 if "sample" in path else 0o755) for path in above]
    items += [file(f"./{path}", text.encode()) for path, text in modules.items()]
    control = control_tarball(OWNER, members=[MD5SUMS])
    return write_package(place / f"{OWNER}.deb", control, tarball([*items, *links]), compression="")


def program_package(place: Path) -> Path:
    """Write the package whose script compiles the library."""
    script = STDLIB.replace("libpython3.13-stdlib:amd64", OWNER).replace(
        "python3.13", python_name()
    )
    control = control_tarball(
        python_name(), scripts={"postinst": f"#!/bin/sh{script}"}, members=[MD5SUMS]
    )
    items = [folder("./"), folder("./usr/"), folder("./usr/lib/"), file("./usr/lib/own", b"x")]
    return write_package(place / f"{python_name()}.deb", control, tarball(items), compression="")


def test_modules_are_those_that_dpkg_lists_in_its_order(compiler: Compiler) -> None:
    place, _ = compiler.make(library_package(compiler.folder))
    found = find_library(CALL, [compiler.folder, place / TREE])
    assert found is not None
    assert found.modules == tuple(path for path in MODULES if path.startswith(LIBRARY) and
                                  path.endswith(".py"))  # fmt: skip
    assert found.argv == (*CALL.argv, *(f"/{module}" for module in found.modules))
    assert (found.tree, found.left) == (place / TREE, ())


def test_links_to_modules_beside_them_count_and_others_are_left(compiler: Compiler) -> None:
    links = [
        link(f"./{LIBRARY}/again.py", "first.py"),
        link(f"./{LIBRARY}/dangling.py", "nothing.py"),
        link(f"./{LIBRARY}/settings.py", "/etc/settings.py"),
        link(f"./{LIBRARY}/sample/up.py", "../first.py"),
        link(f"./{LIBRARY}/twice.py", "again.py"),
    ]
    place, _ = compiler.make(library_package(compiler.folder, links=links))
    found = find_library(CALL, [place / TREE])
    assert found is not None
    assert found.modules[-1] == f"{LIBRARY}/again.py"
    assert found.left == tuple(f"/{LIBRARY}/{name}.py" for name in (
        "dangling", "settings", "sample/up", "twice",
    ))  # fmt: skip


def test_without_the_package_that_has_the_modules_there_are_none(compiler: Compiler) -> None:
    assert find_library(CALL, [compiler.folder]) is None


def compiled(
    compiler: Compiler, *others: Path, library: Path | None = None
) -> tuple[Path, UnitFacts]:
    """Make and compile the unit of the program, `others` beside it, where the library is."""
    owner, _ = compiler.make(library or library_package(compiler.folder))
    here = replace(compiler, interpreter=(owner / TREE, *compiler.interpreter))
    return here.compile(program_package(compiler.folder), *others)[0]


def by_the_script(compiler: Compiler) -> Mapping[str, bytes]:
    """Return by path what the script's own call makes, in a root with nothing compiled."""
    root = compiler.folder / "root"
    owner, _ = compiler.make(library_package(compiler.folder))
    for tree in (*compiler.interpreter, owner / TREE):
        shutil.copytree(tree, root, symlinks=True, dirs_exist_ok=True)
    modules = [f"/{path}" for path in MODULES if path.startswith(LIBRARY) and path.endswith(".py")]
    words = ("/usr/sbin/chroot", str(root), *CALL.argv, *modules)
    subprocess.run(words, check=True, env={"SOURCE_DATE_EPOCH": "1700000000"})
    caches_ = {Path(module).parent.relative_to("/") / "__pycache__" for module in modules}
    names = {Path(module).stem for module in modules}
    return {
        str(path.relative_to(root)): path.read_bytes()
        for cache in caches_
        for path in (root / cache).iterdir()
        if path.name.partition(".")[0] in names
    }


@pytest.mark.real
def test_a_unit_gets_what_its_script_makes_of_the_library(compiler: Compiler) -> None:
    place, facts = compiled(compiler)
    assert caches(place) == by_the_script(compiler)
    assert len(caches(place)) == 3
    assert facts.library == CALL


@pytest.mark.real
def test_the_facts_tell_what_was_added_and_folders_are_as_the_library_has_them(
    compiler: Compiler,
) -> None:
    before = compiler.make(program_package(compiler.folder))[1]
    place, facts = compiled(compiler)
    files = sorted(caches(place))
    plain = (LIBRARY, f"{LIBRARY}/__pycache__", f"{LIBRARY}/sample/__pycache__")
    folders = [
        *(Directory(path, 0o755, 0, 0) for path in plain),
        Directory(f"{LIBRARY}/sample", 0o2755, 0, 0),
    ]
    assert facts == replace(
        before,
        size=before.size + sum((place / TREE / path).stat().st_size for path in files),
        files=tuple(sorted((*before.files, *files))),
        directories=tuple(sorted((*before.directories, *folders))),
        derived=tuple(sorted((*files, *(each.path for each in folders)))),
    )
    there = {entry.path: entry for entry in scan_tree(place / TREE)}
    assert there.keys() == {*facts.files, *(directory.path for directory in facts.directories)}
    for each in facts.directories:
        entry = there[each.path]
        assert Directory(each.path, entry.mode, entry.uid, entry.gid) == each
    assert {there[path].mtime for path in facts.derived} == {LONG_AGO}
    assert stat.S_IMODE((place / TREE / files[0]).stat().st_mode) == 0o644


@pytest.mark.real
def test_it_is_the_same_whatever_is_compiled_beside_it_and_whatever_the_umask(
    compiler: Compiler,
) -> None:
    alone, facts = compiled(compiler)
    mask = os.umask(0o077)
    try:
        beside, beside_facts = compiled(compiler, compiler.package("sample"))
    finally:
        os.umask(mask)
    assert facts == beside_facts
    assert facts.derived
    trees = [
        [
            (replace(entry, source=None), Path(entry.source).read_bytes() if entry.source else b"")
            for entry in scan_tree(place / TREE)
        ]
        for place in (alone, beside)
    ]
    assert trees[0] == trees[1]


@pytest.mark.real
def test_a_library_with_a_module_that_cannot_be_compiled_is_left_to_the_images(
    compiler: Compiler,
) -> None:
    modules = {**MODULES, f"{LIBRARY}/bad.py": "def x(:\n"}
    library = library_package(compiler.folder, modules)
    before = compiler.make(program_package(compiler.folder))[1]
    place, facts = compiled(compiler, library=library)
    assert facts == replace(before, library=None)
    assert caches(place) == {}


@pytest.mark.real
def test_where_the_library_is_not_nothing_of_it_is_compiled(compiler: Compiler) -> None:
    program = program_package(compiler.folder)
    (place, facts), (sample, sample_facts) = compiler.compile(program, compiler.package("sample"))
    assert (caches(place), facts.library, facts.derived) == ({}, None, ())
    assert len(caches(sample)) == 1
    assert sample_facts.compiled


def told_by(program: str, words: Sequence[str], place: Path, **variables: str) -> str:
    """Return what is answered by the program in place of dpkg, which says what it is asked."""
    real = place / "real"
    real.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    real.chmod(0o755)
    script = place / "dpkg"
    script.write_text(program.replace("/usr/bin/dpkg", str(real)))
    script.chmod(0o755)
    environment = {f"DPKG_MAINTSCRIPT_{name}": text for name, text in variables.items()}
    done = subprocess.run(
        [script, *words], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout


FACTS = UnitFacts(
    digest=Digest.of(b"x"), name="python3.13", instance="x", version="1", architecture="all",
    epoch=0, size=0, conffiles=(), files=(), directories=(), links=(), derived=("usr",),
    library=the_call("python3.13", "libpython3.13-stdlib:amd64"),
)  # fmt: skip
MINIMAL_FACTS = replace(
    FACTS,
    name="python3.11-minimal",
    library=the_call("python3.11", "libpython3.11-minimal:amd64"),
    left=("/usr/lib/python3.11/it's.py", "/usr/lib/python3.11/$HOME.py"),
)


@pytest.mark.parametrize(
    ("words", "package", "script", "told"),
    [
        ("-L libpython3.13-stdlib:amd64", "python3.13", "postinst", ""),
        (
            *("-L libpython3.11-minimal:amd64", "python3.11-minimal", "postinst"),
            "/usr/lib/python3.11/it's.py\n/usr/lib/python3.11/$HOME.py\n",
        ),
        ("-L libpython3.13-stdlib:amd64", "python3.13", "prerm", "asked"),
        ("-L libpython3.13-stdlib:amd64", "python3.12", "postinst", "asked"),
        ("-L libpython3.13-stdlib:amd64", "", "", "asked"),
        ("-L libpython3.13-stdlib", "python3.13", "postinst", "asked"),
        ("-S libpython3.13-stdlib:amd64", "python3.13", "postinst", "asked"),
        ("--compare-versions 1 lt 2", "python3.13", "postinst", "asked"),
    ],
)
def test_scripts_alone_that_compile_the_library_are_told_less_of_it(
    words: str, package: str, script: str, told: str, tmp_path: Path
) -> None:
    answer = told_by(
        lister([FACTS, MINIMAL_FACTS]), words.split(), tmp_path, PACKAGE=package, NAME=script
    )
    assert answer == (f"{words.replace(' ', '|')}|" if told == "asked" else told)


def test_dpkg_is_asked_as_it_is_where_no_script_runs(tmp_path: Path) -> None:
    words = ["--path-include=/a b", "", "*"]
    assert told_by(lister([FACTS]), words, tmp_path) == "--path-include=/a b||*|"


@pytest.mark.parametrize(
    ("script", "facts", "compiled_by_it"),
    [(STDLIB, FACTS, ""), (MINIMAL, replace(MINIMAL_FACTS, left=("/usr/lib/python3.11/x.py",)),
      "-E -S /usr/lib/python3.11/py_compile.py /usr/lib/python3.11/x.py\n")],
    ids=["all", "all but one"],
)  # fmt: skip
def test_a_script_compiles_nothing_but_what_is_left(
    script: str, facts: UnitFacts, compiled_by_it: str, tmp_path: Path
) -> None:
    program = tmp_path / "dpkg"
    program.write_text(lister([facts]))
    recorder = tmp_path / "python"
    recorder.write_text('#!/bin/sh\necho "$*"\n')
    for place in (program, recorder):
        place.chmod(0o755)
    python = facts.name.removesuffix("-minimal")
    done = subprocess.run(
        ["sh", "-ec", script.replace(f"/usr/bin/{python}", str(recorder)), "sh", "configure"],
        check=True,
        capture_output=True,
        text=True,
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "DPKG_MAINTSCRIPT_PACKAGE": facts.name,
            "DPKG_MAINTSCRIPT_NAME": "postinst",
        },
    )
    assert done.stdout == compiled_by_it


def test_the_lister_is_the_same_in_any_order() -> None:
    assert lister([FACTS, MINIMAL_FACTS]) == lister([MINIMAL_FACTS, FACTS])


def test_no_lister_is_needed_where_no_library_was_compiled() -> None:
    assert lister([replace(FACTS, derived=()), replace(FACTS, library=None)]) == ""
