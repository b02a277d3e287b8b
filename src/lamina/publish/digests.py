"""The file of digests: every published reference with the one that never changes its meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from lamina.errors import UsageError
from lamina.model.digest import Digest
from lamina.model.reference import Namespace, Reference

_JSON = (".json",)
_YAML = (".yaml", ".yml")


def pinned(means: Mapping[Reference, Digest], namespace: Namespace) -> Mapping[str, str]:
    """Return `HOST/REPOSITORY@DIGEST` for every `HOST/REPOSITORY:TAG`, sorted."""
    found = {
        namespace.address(reference): f"{namespace.host}/{reference.repository}@{digest}"
        for reference, digest in means.items()
    }
    return dict(sorted(found.items()))


def check_file(path: Path) -> None:
    """Raise `UsageError` for a file that is called neither JSON nor YAML, or in no folder."""
    if not path.parent.is_dir():
        raise UsageError.one("there is no such folder", place=str(path.parent), remedy="make it")
    if path.suffix not in (*_JSON, *_YAML):
        raise UsageError.one(
            "its name does not say in which form it is to be",
            place=str(path),
            remedy="call it .json, .yaml or .yml",
        )


def digests_text(references: Mapping[str, str], path: Path) -> str:
    """Return the text of the file, in the form that its name says; the same for the same images."""
    if path.suffix in _JSON:
        return json.dumps(references, indent=2) + "\n"
    return yaml.safe_dump(dict(references), width=1000, default_flow_style=False)
