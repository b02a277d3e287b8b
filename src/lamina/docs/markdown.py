"""Markdown in which every text means itself: GitHub's dialect, without HTML.

Source: the specification of GitHub Flavored Markdown, with its tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

# What begins or ends something within a line.
_INLINE = re.compile(r"[\\`*_\[\]<>|&~]")
# What makes more of a paragraph's first line: a list, a heading.
_FIRST = re.compile(r"[-+=#]|\d+(?=[.)])")


def prose(text: str) -> str:
    """Return a text on one line that is shown as it is."""
    line = _INLINE.sub(r"\\\g<0>", " ".join(_visible(text).split()))
    if found := _FIRST.match(line):
        # The number of a list is a number still when the mark behind it is none.
        at = found.end() if found[0].isdecimal() else 0
        return f"{line[:at]}\\{line[at:]}"
    return line


def code(text: str) -> str:
    """Return a code span; what cannot be printed stands in it as an escape.

    One with a `|` in it goes into no table, which would take it apart.
    """
    shown = _visible(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    # Of a blank at each end neither is shown, unless there is nothing else.
    pad = " " if shown.strip() and (shown[0] in "` " or shown[-1] in "` ") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def codes(texts: Iterable[str]) -> str:
    """Return code spans with commas between them."""
    return ", ".join(map(code, texts))


def link(text: str, page: str, heading: str = "") -> str:
    """Return a link to a page beside this one, or to one of its headings."""
    return f"[{prose(text)}]({quote(page)}{f'#{anchor(heading)}' if heading else ''})"


def anchor(heading: str) -> str:
    """Return the name by which GitHub knows a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already."""
    lines = (columns, ["---"] * len(columns), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _visible(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
