"""The scripts that are in a pipeline's files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml


def scripts_in(text: str) -> tuple[str, ...]:
    """Return all scripts of a pipeline's file, each once, as one shell runs them."""
    return tuple(dict.fromkeys(_scripts(yaml.safe_load(text))))


def _scripts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "script" in value:  # GitLab runs both in one shell
            yield "".join((*value.get("before_script", ()), *value["script"]))
        elif isinstance(value.get("run"), str) and "uses" not in value and "parent" not in value:
            yield value["run"]
        elif "cmd" in value:
            yield value["cmd"]
        for part in value.values():
            yield from _scripts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _scripts(part)
