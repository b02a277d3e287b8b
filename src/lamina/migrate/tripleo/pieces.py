"""What TripleO's templates are apart from Jinja: a text that YAML can read, place by place."""

from __future__ import annotations

import re

from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lamina.migrate.jinja import Part, Piece

TEXTLESS = (Part.TAG, Part.COMMENT)


def environment() -> ImmutableSandboxedEnvironment:
    """Return Jinja with its default settings, in which a template cannot reach Python.

    It has no loader: a template that reads another one does not render.
    """
    return ImmutableSandboxedEnvironment(autoescape=False)


def blanked(text: str, pieces: tuple[Piece, ...]) -> str:
    """Return the template as a text of the same length in which only its own text stands.

    An expression becomes letters, as it renders to some word; all else becomes spaces.
    """
    parts = []
    for piece in pieces:
        part = text[piece.start : piece.end]
        if piece.part in TEXTLESS:
            part = re.sub(r"[^\r\n]", " ", part)
        elif piece.part is not Part.TEXT:
            part = "x" * len(part)
        parts.append(part)
    return "".join(parts)


def expression(text: str) -> nodes.Expr | None:
    """Return what stands between the braces of `{{ … }}`; nothing if it is not one expression."""
    match environment().parse(text).body:
        case [nodes.Output(nodes=[nodes.Expr() as found])]:
            return found
    return None
