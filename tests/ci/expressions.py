"""The conditions of both systems, as far as the pipelines use them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_GITHUB = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||[!=]=|[!(),]|[A-Za-z_][\w.-]*)")
_GITLAB = re.compile(r"""\s*("[^"]*"|/(?:[^/\\]|\\.)*/|&&|\|\||[!=][=~]|[()]|\$\w+)""")
_WORDS = {"&&": "and", "||": "or", "!": "not", "==": "==", "!=": "!="}


def github_value(text: str, contexts: Mapping[str, Any], status: Callable[[str], bool]) -> Any:
    """Return what an expression of GitHub Actions means; `status` answers `failure()` and such."""

    def look_up(path: str) -> Any:
        value: Any = contexts
        for part in path.split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        return value

    def translated(token: str) -> str:
        if token in _WORDS:
            return f" {_WORDS[token]} "
        if token in "(),":
            return token
        if token.startswith("'"):
            return repr(token[1:-1].replace("''", "'"))
        if token in {"contains", "fromJSON", "failure", "cancelled", "success"}:
            return token
        return f"look_up({token!r})"

    functions = {
        "look_up": look_up,
        "contains": lambda among, one: one in among,
        "fromJSON": json.loads,
        **{name: lambda name=name: status(name) for name in ("failure", "cancelled", "success")},
    }
    return eval(_read(_GITHUB, text, translated), {"__builtins__": {}}, functions)


def github_text(text: str, contexts: Mapping[str, Any]) -> str:
    """Return a text with the expressions in it replaced by what they mean."""

    def meaning(match: re.Match[str]) -> str:
        value = github_value(match[1], contexts, lambda _: False)
        return str(value).lower() if isinstance(value, bool) else str(value)

    return re.sub(r"\$\{\{(.*?)\}\}", meaning, text, flags=re.DOTALL)


def gitlab_condition(text: str, variables: Mapping[str, str]) -> bool:
    """Return whether a rule of GitLab holds."""

    def translated(token: str) -> str:
        if token in _WORDS:
            return f" {_WORDS[token]} "
        if token == "=~":
            return " @ "
        if token.startswith("/"):
            return f"Pattern({token[1:-1]!r})"
        if token.startswith("$"):
            return f"Text({variables.get(token[1:], '')!r})"
        return f"Text({token[1:-1]!r})" if token.startswith('"') else token

    return bool(eval(_read(_GITLAB, text, translated), {"Text": _Text, "Pattern": str}))


class _Text(str):
    """A text that `@` compares with a pattern."""

    def __matmul__(self, pattern: str) -> bool:
        return re.search(pattern, self) is not None


def _read(tokens: re.Pattern[str], text: str, translated: Callable[[str], str]) -> str:
    """Return an expression in Python's words; every character of it must be understood."""
    words, at = [], 0
    text = text.strip()
    while at < len(text):
        match = tokens.match(text, at)
        assert match, f"not understood: {text[at:]}"
        words.append(translated(match[1]))
        at = match.end()
    return "".join(words).strip()
