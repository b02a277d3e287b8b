"""What a stream can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Whether there is a terminal whose lines can be written anew, and whether it has colours."""

    terminal: bool
    color: bool


def look_of(stream: TextIO, environment: Mapping[str, str]) -> Look:
    """Return what `stream` can show; `CI` means plain lines, `NO_COLOR` no colours.

    Source: no-color.org, which counts a variable that is set and not empty.
    """
    dumb = environment.get("TERM", "") == "dumb"
    terminal = stream.isatty() and not dumb and not environment.get("CI")
    return Look(terminal=terminal, color=terminal and not environment.get("NO_COLOR"))
