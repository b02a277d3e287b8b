"""What is done to an image after its packages: files, steps, removals, the rules for paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lamina.engine import keystore
from lamina.engine.sandbox import Bind, Call
from lamina.model.catalog import PathRule
from lamina.model.image import FileCopy, Image

_FILES = "/tmp/.lamina/files"  # noqa: S108 - a path in the sandbox, whose /tmp is private

# An empty IFS leaves a pattern to the shell's file name expansion alone.
_REMOVE = """
IFS=
for pattern; do
    for path in $pattern; do
        # A pattern that fits nothing is left as it is, and there is nothing of that name.
        if [ -e "$path" ] || [ -L "$path" ]; then rm -rf -- "$path"; fi
    done
done
"""
_EMPTY = """
IFS=
for pattern; do
    for path in $pattern; do
        if [ -f "$path" ] && [ ! -L "$path" ]; then : > "$path"; fi
    done
done
"""
# The image's Python is started only where there is a keystore.
_UNDATE = """
IFS=
program=$1
shift
for pattern; do
    for path in $pattern; do
        if [ -f "$path" ] && [ ! -L "$path" ]; then python3 -I -c "$program" "$path"; fi
    done
done
"""


def file_binds(files: Sequence[FileCopy]) -> tuple[Bind, ...]:
    """Return the binds that show the catalogue's files to the sandbox."""
    return tuple(
        Bind(source=Path(file.source), target=f"{_FILES}/{number}")
        for number, file in enumerate(files)
    )


def finish_calls(
    image: Image, rules: Sequence[PathRule], variables: Mapping[str, str]
) -> tuple[Call, ...]:
    """Return the calls that finish `image`, in order: files, steps, removals, rules."""
    calls = [
        Call(
            argv=(
                *("install", "-D", "-m", f"{file.mode:04o}", "-o", file.owner, "-g", file.group),
                *("--", f"{_FILES}/{number}", file.path),
            ),
            environment=variables,
            title=f"file {file.path}",
        )
        for number, file in enumerate(image.files)
    ]
    calls += [
        Call(argv=("/bin/sh", "-euc", step), environment=variables, title="step")
        for step in image.steps
    ]
    removed = (*image.remove, *(rule.glob for rule in rules if rule.action == "remove"))
    emptied = tuple(rule.glob for rule in rules if rule.action == "empty")
    undated = tuple(rule.glob for rule in rules if rule.action == "undate")
    for title, script, globs in (("remove", _REMOVE, removed), ("empty", _EMPTY, emptied)):
        if globs:
            argv = ("/bin/sh", "-euc", script, "sh", *globs)
            calls.append(Call(argv=argv, environment=variables, title=title))
    if undated:
        program = Path(keystore.__file__).read_text(encoding="utf-8")
        argv = ("/bin/sh", "-euc", _UNDATE, "sh", program, *undated)
        calls.append(Call(argv=argv, environment=variables, title="undate"))
    return tuple(calls)
