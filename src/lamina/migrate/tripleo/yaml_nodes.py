"""Places in YAML's nodes."""

from __future__ import annotations

import re
from dataclasses import replace

import yaml

from lamina.migrate.edit import Found

_NO_UTF8 = re.compile("[\ud800-\udfff]")
BOM = "\ufeff"
"""The mark that may begin a file, from behind which libyaml counts."""


def readable(text: str) -> str:
    """Return a text of the same length that a YAML parser takes: bytes that are no UTF-8 go."""
    return _NO_UTF8.sub("x", text)


def behind_bom(found: Found) -> Found:
    """Return what was found behind a mark by its place in the whole text."""
    edits = (replace(edit, start=edit.start + 1, end=edit.end + 1) for edit in found.edits)
    return replace(found, edits=tuple(edits))


def inside(node: yaml.ScalarNode) -> slice:
    """Return where the scalar's text stands, without its quotes."""
    quoted = 1 if node.style in ("'", '"') else 0
    return slice(node.start_mark.index + quoted, node.end_mark.index - quoted)
