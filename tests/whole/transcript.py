"""Documents that can be followed: the files that they show, the commands, and what is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"`([\w./-]+\.\w+)`")
_ANY = "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that the reader is to write."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that the reader is to type, and what is printed then."""

    line: str
    printed: tuple[str, ...]


def steps(document: str) -> Iterator[File | Command]:
    """Yield what a reader does, in the order of the document.

    A block of `console` has commands behind `$ `, each with what it prints. Another block is a
    file, if the paragraph above it ends with its path, or with that and a few words.
    """
    for block in _BLOCK.finditer(document):
        language, text = block.groups()
        if language == "console":
            yield from _commands(text)
        elif path := _path_above(document[: block.start()]):
            yield File(path=path, text=text)


def _path_above(before: str) -> str:
    paragraph = before.rstrip().rpartition("\n\n")[2]
    last = re.split(r"(?<=[.:]) ", paragraph)[-1] if paragraph.endswith(":") else ""
    found = _PATH.findall(last)
    return found[-1] if found else ""


def _commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *printed = part.rstrip().splitlines()
        yield Command(line=line, printed=tuple(printed))


def differences(expected: tuple[str, ...], printed: str) -> list[str]:
    """Return the expected lines that were not printed in their turn, and printed ones too many.

    `...` stands for any lines. Numbers, times and the width of columns may be others.
    """
    lines = [_plain(line) for line in printed.splitlines()]
    faults, place, anywhere = [], 0, False
    for line in expected:
        if line == _ANY:
            anywhere = True
            continue
        wanted = _plain(line)
        found = next((n for n in range(place, len(lines)) if lines[n] == wanted), None)
        if found is None or (found > place and not anywhere):
            faults.append(f"not printed in its turn: {line}")
            continue
        place, anywhere = found + 1, False
    if not anywhere:
        faults += [f"not expected: {line}" for line in lines[place:]]
    return faults


def _plain(line: str) -> str:
    numbers = re.sub(r"\d+(?:\.\d+)?", "0", line)
    return re.sub(r" +", " ", re.sub(r"0 min 0 s", "0 s", numbers)).strip()
