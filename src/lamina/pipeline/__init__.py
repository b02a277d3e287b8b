"""The stages in their order: catalogue, lock, plan, build, and what is done with images.

Stages do not know each other. Each function takes settings and what earlier stages made, and
hands on what comes of it. `lamina.pipeline.migrate` is not among those here: it loads Jinja, which
every other command can do without.
"""

from lamina.build.fleet import RunResult
from lamina.pipeline.beside import Beside
from lamina.pipeline.builds import build
from lamina.pipeline.cached import plan_with_caches
from lamina.pipeline.ci import MadePipeline, PipelineOptions, ci
from lamina.pipeline.diff import diff
from lamina.pipeline.docs import docs
from lamina.pipeline.fleet import (
    choose,
    collect_garbage,
    current,
    distros,
    garbage,
    load,
    plan,
)
from lamina.pipeline.publish import Due, Published, Target, publish
from lamina.pipeline.relock import Relocked, lock, locked
from lamina.pipeline.retention import Past, plan_pruning, prune
from lamina.pipeline.storage import storage, storage_page, storage_update
from lamina.pipeline.successors import ask_names, names_of, plan_removal, remove
from lamina.pipeline.uses import export, run, test

__all__ = [
    "Beside",
    "Due",
    "MadePipeline",
    "Past",
    "PipelineOptions",
    "Published",
    "Relocked",
    "RunResult",
    "Target",
    "ask_names",
    "build",
    "choose",
    "ci",
    "collect_garbage",
    "current",
    "diff",
    "distros",
    "docs",
    "export",
    "garbage",
    "load",
    "lock",
    "locked",
    "names_of",
    "plan",
    "plan_pruning",
    "plan_removal",
    "plan_with_caches",
    "prune",
    "publish",
    "remove",
    "run",
    "storage",
    "storage_page",
    "storage_update",
    "test",
]
