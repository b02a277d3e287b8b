"""Packages with Python in them: a small interpreter, which is this machine's, and modules."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.backends.packages import (
    Item,
    control_tarball,
    file,
    folder,
    link,
    tarball,
    write_package,
)

from lamina.model.digest import Digest
from lamina.model.lock import UnitRef

PYTHON = Path("/usr/bin/python3")
PUBLIC = "usr/lib/python3/dist-packages"
MOUNTED = ("/dev", "/proc", "/sys", "/tmp")
MD5SUMS = file("./md5sums", b"")

# The files that it takes to compile a module, as a module and as a program.
_NEEDED = """
import argparse, gettext, locale, py_compile, sys
print(*sorted({module.__file__ for module in sys.modules.values() if hasattr(module, "__file__")}))
"""


def python_name() -> str:
    """Return what names this machine's Python among others: `python3.11`."""
    return PYTHON.resolve().name


def interpreter_package(place: Path) -> Path:
    """Write the package `python3-minimal` of nothing but what compiles modules."""
    told = _output(str(PYTHON), "-I", "-S", "-B", "-c", _NEEDED)
    files = {path: Path(path) for path in told.split() if path.startswith("/usr/lib/")}
    for word in _output("ldd", str(PYTHON.resolve())).split():
        if word.startswith("/"):
            # Debian 12 and later have these below /usr, by whatever link they are found.
            files[f"/usr/{word.removeprefix('/usr').lstrip('/')}"] = Path(word)
    files[str(PYTHON.with_name(python_name()))] = PYTHON
    folders = sorted({str(above) for path in files for above in Path(path).parents} - {"/"})
    folders += MOUNTED
    items = [folder("./"), *(folder(f".{path}/") for path in folders)]
    items += [link("./lib", "usr/lib"), link("./lib64", "usr/lib64")]
    items += [link(f".{PYTHON}", python_name())]
    items += [file(f".{path}", source.read_bytes(), 0o755) for path, source in files.items()]
    control = control_tarball("python3-minimal", architecture="amd64", members=[MD5SUMS])
    return write_package(place / "python3-minimal.deb", control, tarball(items), compression="")


def module_package(
    place: Path, name: str, modules: Mapping[str, str], *arguments: str, mode: int = 0o644
) -> Path:
    """Write a package with these modules by path that calls py3compile once for each `arguments`.

    Without any it is called as for public modules.
    """
    above = sorted({str(above) for path in modules for above in Path(path).parents} - {"."})
    items: list[Item] = [folder("./"), *(folder(f"./{path}/") for path in above)]
    items += [file(f"./{path}", text.encode(), mode) for path, text in modules.items()]
    calls = "".join(f"\tpy3compile {words}\n" for words in arguments or (f"-p {name}",))
    script = f"#!/bin/sh\nif command -v py3compile >/dev/null 2>&1; then\n{calls}fi\n"
    control = control_tarball(name, scripts={"postinst": script}, members=[MD5SUMS])
    return write_package(place / f"{name}.deb", control, tarball(items), compression="")


def ref_of(package: Path, *, version: str = "1.0") -> UnitRef:
    """Return what a lock says of a package."""
    content = package.read_bytes()
    return UnitRef(
        name=package.stem,
        version=version,
        architecture="all",
        repository="test",
        path=f"pool/{package.name}",
        size=len(content),
        digest=Digest.of(content),
    )


def _output(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
