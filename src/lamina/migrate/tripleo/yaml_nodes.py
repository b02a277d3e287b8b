"""Places of YAML's nodes in a text."""

from __future__ import annotations

import re
from dataclasses import replace

import yaml

from lamina.migrate.edit import Found

_NO_UTF8 = re.compile("[\ud800-\udfff]")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+|\s+)*")  # an anchor and a tag
BOM = "\ufeff"
"""The mark that may begin a file, from behind which libyaml counts."""


def readable(text: str) -> str:
    """Return a text of the same length that a YAML parser takes: bytes that are no UTF-8 go."""
    return _NO_UTF8.sub("x", text)


def behind_bom(found: Found) -> Found:
    """Return what was found behind a mark by its place in the whole text."""
    edits = (replace(edit, start=edit.start + 1, end=edit.end + 1) for edit in found.edits)
    return replace(found, edits=tuple(edits))


def inside(text: str, node: yaml.ScalarNode) -> slice:
    """Return where the scalar's own text stands: behind anchor, tag and header, within quotes."""
    start, end = node.start_mark.index, node.end_mark.index
    match node.style:
        case "'" | '"' as quote:
            return slice(text.index(quote, start) + 1, end - 1)
        case "|" | ">":
            start = text.find("\n", start, end) + 1
    properties = _PROPERTIES.match(text, start, end)
    start = properties.end() if properties else start
    return slice(start, start + len(text[start:end].rstrip()))
