"""What the name is made of in a reference such as `{{namespace}}/{{name_prefix}}cron:{{tag}}`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import nodes

from lamina.migrate.jinja import Part, Piece
from lamina.migrate.tripleo.pieces import TEXTLESS, expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A piece of a name, at `start` to `end` of the template."""

    part: Part
    start: int
    end: int
    text: str  # as it stands in the template
    node: nodes.Expr | None = None  # of an expression

    @property
    def variable(self) -> str:
        """Return the variable that the word is, or an empty text when it is anything else."""
        return self.node.name if isinstance(self.node, nodes.Name) else ""

    @property
    def variables(self) -> frozenset[str]:
        """Return every variable of the word's expression."""
        return frozenset(name.name for name in self._output.find_all(nodes.Name))

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the texts that the word holds: itself, or those of its expression."""
        if self.part is Part.TEXT:
            return (self.text,)
        found = (const.value for const in self._output.find_all(nodes.Const))
        return tuple(value for value in found if isinstance(value, str))

    @property
    def _output(self) -> nodes.Output:
        """Return the expression below a node: nodes look for others below themselves."""
        return nodes.Output([self.node] if self.node else [])


def name_words(text: str, blank: str, pieces: tuple[Piece, ...], span: slice) -> tuple[Word, ...]:
    """Return the words of the name in the reference `text[span]`: behind `/`, before `:` or `@`.

    `blank` is the same text in which only the template's own text stands.
    """
    start = blank.rfind("/", span.start, span.stop) + 1 or span.start
    ends = [at for mark in ":@" if (at := blank.find(mark, start, span.stop)) >= 0]
    return tuple(_clipped(text, pieces, start, min(ends, default=span.stop)))


def _clipped(text: str, pieces: tuple[Piece, ...], start: int, end: int) -> Iterator[Word]:
    for piece in pieces:
        first, last = max(piece.start, start), min(piece.end, end)
        if first >= last:
            continue
        shown = text[first:last]
        told = piece.part in (Part.TEXT, *TEXTLESS)
        node = None if told else expression(shown)
        yield Word(part=piece.part, start=first, end=last, text=shown, node=node)
