"""The files of a pipeline, and the groups that are in them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

import yaml

from lamina.ci import github, gitlab, zuul
from lamina.ci.grouping import Groups
from lamina.ci.request import Request
from lamina.model.image import ImageId


class System(StrEnum):
    """A system of continuous integration."""

    GITHUB = "github"
    GITLAB = "gitlab"
    ZUUL = "zuul"


def make_files(system: System, request: Request) -> Mapping[str, str]:
    """Return the texts of a pipeline's files, by their paths in the repository."""
    match system:
        case System.GITHUB:
            return {github.FILE: github.workflow(request)}
        case System.GITLAB:
            return {gitlab.FILE: gitlab.pipeline(request)}
        case System.ZUUL:
            return zuul.files(request)
        case _:
            assert_never(system)


def read_groups(system: System, files: Mapping[str, str]) -> Groups | None:
    """Return the groups of a pipeline that was made before; None where they cannot be read.

    `files` are the texts that are there, by their paths.
    """
    reader = {
        System.GITHUB: (github.FILE, github.listed),
        System.GITLAB: (gitlab.FILE, gitlab.listed),
        System.ZUUL: (zuul.FILE, zuul.listed),
    }
    path, listed = reader[system]
    try:
        texts = tuple(listed(yaml.safe_load(files[path])))
        trunk, *branches = (tuple(map(ImageId.parse, text.split())) for text in texts)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return None  # somebody's own, or of another version: it is stale anyhow
    return Groups(trunk=trunk, branches=tuple(branches))
