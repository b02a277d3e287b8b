"""The repository that a pipeline is for: what of it is there, and what is to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from lamina.ci.document import MARK
from lamina.errors import Fault, UsageError
from lamina.oci.disk import disk_faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Which files of a pipeline are as they should be, by their paths in the repository."""

    stale: tuple[str, ...]
    current: tuple[str, ...]
    diff: str  # what would change, as a unified diff


def read_files(folder: Path, paths: Mapping[str, str]) -> Mapping[str, str]:
    """Return the texts of those of `paths` that are there."""
    there = {}
    for path in paths:
        try:
            there[path] = (folder / path).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UsageError.one(
                f"cannot be read: {error.strerror}", place=str(folder / path)
            ) from error
    return there


def compare_files(files: Mapping[str, str], there: Mapping[str, str]) -> Comparison:
    """Compare what a pipeline's files should be with what is there."""
    stale = tuple(path for path, text in files.items() if there.get(path) != text)
    lines = [
        line
        for path in stale
        for line in unified_diff(
            there.get(path, "").splitlines(keepends=True),
            files[path].splitlines(keepends=True),
            f"a/{path}" if path in there else "/dev/null",
            f"b/{path}",
        )
    ]
    diff = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    current = tuple(path for path in files if path not in stale)
    return Comparison(stale=stale, current=current, diff=diff)


def write_files(folder: Path, files: Mapping[str, str], there: Mapping[str, str]) -> Comparison:
    """Write those files that are not as they should be; return which they were.

    Raises `UsageError` for every file that is in the way and was not made by lamina, before
    anything is written, and `StoreError` where the disk refuses.
    """
    UsageError.raise_all(
        [
            Fault(str(folder / path), "not made by `lamina ci`", _REMEDY)
            for path, text in there.items()
            if path in files and text and not text.startswith(MARK)
        ]
    )
    comparison = compare_files(files, there)
    with disk_faults(folder, "folder"):
        for path in comparison.stale:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(files[path], encoding="utf-8")
    return comparison


_REMEDY = "move it elsewhere, or make the pipeline in another folder and include it"
