"""The structure of a Jinja template: where its text is, and what its expressions stand for.

Jinja's own lexer tells where an expression begins and ends, and its parser what variables are in
it. So a `}}` in a string or a `{{` in a comment misleads nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from jinja2 import Environment, TemplateSyntaxError, nodes

# Ansible renders with these settings; nothing is ever executed here.
_JINJA = Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701

_DISTRO = re.compile(r"(?:.*_)?base_distro")
_TYPE = re.compile(r"(?:.*_)?install_type")
_WORD = re.compile(r"[A-Za-z_]\w*")


class Part(Enum):
    """What a piece of a template is."""

    TEXT = auto()
    DISTRO = auto()  # an expression for the distribution's name
    TYPE = auto()  # an expression for the way OpenStack is installed
    VALUE = auto()  # any other expression
    TAG = auto()  # `{% ... %}`
    COMMENT = auto()  # `{# ... #}`


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a template, by its place; pieces follow each other without a gap."""

    part: Part
    start: int
    end: int
    strings: tuple[tuple[int, int], ...] = ()  # string constants, without their quotes
    variables: frozenset[str] = frozenset()  # of an expression
    word: str = ""  # the first word of a tag


class NotATemplateError(ValueError):
    """The text is not a template of Jinja."""


def pieces_of(text: str) -> tuple[Piece, ...]:
    """Return the pieces of `text`; raise `NotATemplateError` where Jinja does not read it."""
    # Jinja turns each line end into a newline; this way all places stay the same.
    plain = text.replace("\r\n", " \n").replace("\r", "\n")
    try:
        return tuple(_pieces(plain))
    except TemplateSyntaxError as error:
        raise NotATemplateError(error.message or "no template") from error


_ENDS = {"variable_end", "block_end", "comment_end", "raw_begin", "raw_end"}
_BEGINS = {"variable_begin", "block_begin", "comment_begin", "raw_begin", "raw_end"}


def _pieces(text: str) -> Iterator[Piece]:
    at = start = 0
    words: list[tuple[str, int, int]] = []  # token, where it starts and ends
    opened = ""
    for _, token, value in _JINJA.lexer.tokeniter(text, None):
        found = text.find(value, at)  # white space that a `-` strips is passed over
        if token in _BEGINS:
            if found > start:
                yield Piece(part=Part.TEXT, start=start, end=found)
            start, words, opened = found, [], token
        at = found + len(value)
        if opened:
            words.append((token, found, at))
        if token in _ENDS:
            yield _piece(text, opened, start, at, words)
            start, opened = at, ""
    if opened:
        raise TemplateSyntaxError("it ends within an expression", 1)
    if start < len(text):
        yield Piece(part=Part.TEXT, start=start, end=len(text))


def _piece(
    text: str, opened: str, start: int, end: int, words: list[tuple[str, int, int]]
) -> Piece:
    strings = tuple((a + 1, b - 1) for token, a, b in words if token == "string")  # noqa: S105
    if opened == "comment_begin":
        return Piece(part=Part.COMMENT, start=start, end=end)
    if opened != "variable_begin":
        named = next((text[a:b] for token, a, b in words if token == "name"), "raw")  # noqa: S105
        return Piece(part=Part.TAG, start=start, end=end, strings=strings, word=named)
    variables = _variables(text[start:end])
    part = Part.VALUE
    if any(_TYPE.fullmatch(name) for name in variables):
        part = Part.TYPE
    elif any(_DISTRO.fullmatch(name) for name in variables):
        part = Part.DISTRO
    return Piece(part=part, start=start, end=end, strings=strings, variables=variables)


def _variables(expression: str) -> frozenset[str]:
    """Return the names and attributes that an expression asks for."""
    tree = _JINJA.parse(expression)
    names = {node.name for node in tree.find_all(nodes.Name)}
    return frozenset(names | {node.attr for node in tree.find_all(nodes.Getattr)})


def may_be_template(text: str) -> bool:
    """Tell whether anything in `text` is for Jinja."""
    return "{{" in text or "{%" in text or "{#" in text


def variables_of(text: str) -> frozenset[str]:
    """Return the variables that rendering `text` may ask for; none where it is no template."""
    if not may_be_template(text):
        return frozenset()
    try:
        tree = _JINJA.parse(text)
    except TemplateSyntaxError:
        return frozenset(_WORD.findall(text))  # it may be any of them
    return frozenset(node.name for node in tree.find_all(nodes.Name))
