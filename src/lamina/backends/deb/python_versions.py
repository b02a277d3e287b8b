"""Versions of Python that packages name, for which their modules are compiled or are not.

Source: debpython's `parse_vrange`, and py3compile, which reads the lists of exclusions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_PROGRAM = "usr/bin/python3"
_NAME = re.compile(r"python3\.(\d+)")
_BEFORE = re.compile(r"-3\.(\d+)")  # before this version
_FIELDS = 3  # at least, in a line of a list: kind, versions, place

SINCE = r"3\.\d+-"  # in a call: of this version and later


def default_minor(trees: Iterable[Path]) -> int | None:
    """Return which 3.x `python3` is in these trees, topmost first; None if that cannot be told."""
    program = next((p for tree in trees if (p := tree / _PROGRAM).is_symlink()), None)
    name = _NAME.fullmatch(str(program.readlink())) if program else None
    return int(name[1]) if name else None


def is_since(versions: str, minor: int | None) -> bool:
    """Tell whether versions as of `SINCE` contain 3.`minor`."""
    return minor is not None and minor >= int(versions.removeprefix("3.").removesuffix("-"))


def excludes(text: str, minor: int | None) -> bool:
    """Tell whether a list of modules not to compile may say anything of Python 3.`minor`."""
    for line in text.splitlines():
        fields = line.split("|")
        if line.startswith("#"):
            continue
        before = _BEFORE.fullmatch(fields[1]) if len(fields) >= _FIELDS else None
        if minor is None or before is None or minor < int(before[1]):
            return True
    return False
