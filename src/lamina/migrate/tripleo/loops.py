"""What is open around a place in a template, and what a loop's variable can be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from lamina.migrate.jinja import Part, Piece
from lamina.migrate.tripleo.pieces import environment


def opened(text: str, pieces: tuple[Piece, ...], place: int) -> tuple[nodes.Node, ...]:
    """Return the statements that are open at `place`, the outermost first, without their bodies."""
    stack: list[nodes.Node] = []
    for piece in pieces:
        if piece.start >= place:
            break
        if piece.part is not Part.TAG or piece.word.endswith("raw"):
            continue
        if piece.word.startswith("end") and stack:
            stack.pop()
        elif node := _opening(text[piece.start : piece.end], piece.word):
            stack.append(node)
    return tuple(stack)


def loop_values(around: tuple[nodes.Node, ...]) -> Mapping[str, tuple[str, ...] | None]:
    """Return what each variable of the loops in `around` can be; nothing where no text says it."""
    values: dict[str, tuple[str, ...] | None] = {}
    for loop in around:
        if isinstance(loop, nodes.For):
            targets = nodes.Output([loop.target]).find_all(nodes.Name)
            values.update((name.name, None) for name in targets)
            if isinstance(loop.target, nodes.Name):
                values[loop.target.name] = _texts(loop.iter)
    return values


def _opening(statement: str, word: str) -> nodes.Node | None:
    """Return the statement when it has an end of its own, as `if` has and `else` has not."""
    try:
        body = environment().parse(f"{statement}{{% end{word} %}}").body
    except TemplateSyntaxError:
        return None
    return body[0] if body else None


def _texts(iterated: nodes.Node) -> tuple[str, ...] | None:
    if not isinstance(iterated, nodes.List | nodes.Tuple):
        return None
    return tuple(_each(iterated)) if all(map(_is_text, iterated.items)) else None


def _is_text(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _each(iterated: nodes.List | nodes.Tuple) -> Iterator[str]:
    return (item.value for item in iterated.items if isinstance(item, nodes.Const))
