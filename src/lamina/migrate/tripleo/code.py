"""Programs that take a name apart: those that take off a type must take off what replaces it.

tripleo-common makes what it asks a build for of a reference, and takes `binary-`, `source-` and
the like off its beginning by a regular expression. Where infra images have a word in the place of
the type, that would stay at the name.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from itertools import accumulate

from lamina.errors import Fault
from lamina.migrate.edit import Edit, Found
from lamina.migrate.names import Names
from lamina.migrate.tripleo.prefix import in_place_of_type
from lamina.model.image import Kind, Type

_NAME = "any-name"


def is_code(path: str, text: str) -> bool:
    """Tell whether a file may be such a program."""
    return path.endswith(".py") and all(str(type_) in text for type_ in Type)


def read_code(path: str, text: str, names: Names) -> Found:
    """Return what must change in a program in Python so that it knows the names of infra images."""
    word = in_place_of_type(names.scheme).removesuffix("-")
    if not word:
        return Found()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what the program's author wrote
            tree = ast.parse(text)
    except (SyntaxError, ValueError, UnicodeError):
        return Found()
    return Found.together(
        _expression(path, text, constant, value, word) for constant, value in _expressions(tree)
    )


def _expressions(tree: ast.Module) -> Iterator[tuple[ast.Constant, str]]:
    """Yield the constants that a function of `re` gets as its expression."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            yield node.args[0], node.args[0].value


def _expression(path: str, text: str, constant: ast.Constant, value: str, word: str) -> Found:
    if not _takes(value, *Type) or _takes(value, word):
        return Found()
    place = f"{path}:{constant.lineno}"
    message = f"'{value}' takes a type off a name, but not '{word}-'"
    undecided = Found(undecided=(Fault(place, message, f"have it take off '{word}-' as well"),))
    start, end = _span(text, constant)
    source = text[start:end]
    first = min(Type, key=source.find)
    wider = source.replace(f"{first}|", f"{word}|{first}|", 1)
    try:
        meant = ast.literal_eval(wider)
    except (SyntaxError, ValueError):
        return undecided
    if not _takes(meant, *Type, word):
        return undecided
    at = start + source.index(first)
    edit = Edit(
        path=path,
        start=at,
        end=at + len(first),
        old=str(first),
        new=f"{word}|{first}",
        image=word,
        kind=Kind.INFRA,
        reason="what is taken off a name before a build is asked for it",
    )
    return Found(edits=(edit,))


def _takes(expression: str, *words: str) -> bool:
    """Tell whether an expression finds exactly each word with its dash, before a name."""
    try:
        compiled = re.compile(expression)
    except re.error:
        return False
    found = (compiled.search(f"{word}-{_NAME}") for word in words)
    return all(
        match and match.group() == f"{word}-" for match, word in zip(found, words, strict=True)
    )


def _span(text: str, node: ast.Constant) -> tuple[int, int]:
    """Return where a constant stands: Python counts lines, and bytes in a line."""
    lines = text.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]

    def place(line: int, column: int) -> int:
        written = lines[line - 1].encode("utf-8", errors="surrogateescape")
        return starts[line - 1] + len(written[:column].decode("utf-8", errors="surrogateescape"))

    return (
        place(node.lineno, node.col_offset),
        place(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
    )
