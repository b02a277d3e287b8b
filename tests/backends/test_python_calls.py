"""Calls of py3compile: which are foreseen, and which are answered as done."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.backends.compiling import Compiler
from tests.backends.packages import control_tarball, file, folder, tarball, write_package
from tests.backends.pythons import MD5SUMS, PUBLIC

from lamina.backends.deb.python_calls import finder, foreseen_calls
from lamina.engine.unit import UnitFacts
from lamina.model.digest import Digest

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
    "versions from one on": Foreseen(
        script="py3compile -p sample -V 3.2-\n", calls=(f"{PLAIN} -V 3.2-",)
    ),
    "the same for a folder": Foreseen(
        script=f"py3compile {PRIVATE} -V 3.2- \n", calls=(f"{PRIVATE} -V 3.2-",)
    ),
    "versions up to one": Foreseen(script="py3compile -p sample -V -3.12\n"),
    "versions between two": Foreseen(script="py3compile -p sample -V 3.2-3.12\n"),
    "versions before a folder": Foreseen(script="py3compile -p sample -V 3.2- /usr/share/sample\n"),
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
    "a list of what not to compile": Foreseen(
        files=("usr/share/python3/bcep/sample",), calls=(PLAIN,)
    ),
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
