"""What a registry asks of who comes without leave: the header `WWW-Authenticate` (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
# A scheme stands at the beginning, or behind a comma and before its first parameter.
_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Bearer)\b(?!\s*=)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to get in: `basic`, or `bearer` with the address that gives tokens."""

    scheme: str  # lower case
    parameters: Mapping[str, str]


def find_challenge(headers: Iterable[str]) -> Challenge | None:
    """Return the best way in that the headers offer, tokens before passwords; None for none."""
    offered = [challenge for header in headers for challenge in _challenges(header)]
    by_scheme = {challenge.scheme: challenge for challenge in reversed(offered)}
    bearer = by_scheme.get("bearer")
    if bearer and bearer.parameters.get("realm"):
        return bearer
    return by_scheme.get("basic")


def _challenges(header: str) -> list[Challenge]:
    # A quoted text may hold anything: it is taken out of the way while schemes are looked for.
    bare = re.sub(
        r'"(?:[^"\\]|\\.)*"', lambda quoted: '"' + "x" * (len(quoted[0]) - 2) + '"', header
    )
    starts = [match.start(1) for match in _SCHEME.finditer(bare)]
    texts = [header[begin:end] for begin, end in pairwise([*starts, len(header)])]
    return [
        Challenge(
            scheme=re.match(r"\w+", text)[0].lower(),  # type: ignore[index] # it begins with one
            parameters={
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
                for name, quoted, plain in _PARAMETER.findall(text)
            },
        )
        for text in texts
    ]
