"""What a template of TripleO names beside its entries' references: read as in any template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from lamina.migrate.decide import decide
from lamina.migrate.edit import Found
from lamina.migrate.jinja import Part, Piece
from lamina.migrate.names import Names
from lamina.migrate.references import references
from lamina.migrate.tripleo.prefix import ALL

_SETS_PREFIX = re.compile(rf"\{{%[-+]?\s*set\s+{ALL}\b")


def read_beside(
    path: str,
    text: str,
    names: Names,
    *,
    pieces: Sequence[Piece],
    values: Sequence[yaml.ScalarNode],
) -> Found:
    """Return what becomes of names in other `values` than references, and in statements.

    Comments of YAML are neither, and stay.
    """
    spans = [(node.start_mark.index, node.end_mark.index) for node in values]
    spans += [
        (piece.start, piece.end)
        for piece in pieces
        # The prefix of all images is no name; what it makes of infra images is decided elsewhere.
        if piece.part is Part.TAG and not _SETS_PREFIX.match(text, piece.start)
    ]
    found = (
        one
        for one in references(text, template=True)
        if any(start <= one.start < end for start, end in spans)
    )
    return decide(path, text, names, found)


def scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Yield every scalar of a tree of nodes."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for part in pair:
                yield from scalars(part)
