"""The pipeline as GitLab has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import indent
from types import MappingProxyType
from typing import Any

from lamina.ci import scripts
from lamina.ci.document import document
from lamina.ci.request import Request, names_of

FILE = ".gitlab-ci.yml"
_DEBIAN = "debian:13"
_BRANCH = "branch "

_IN_MAIN = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
_REQUESTED = '$CI_PIPELINE_SOURCE == "merge_request_event"'
_PUBLISHES = f"$CI_PIPELINE_SOURCE =~ /^(schedule|web)$/ && {_IN_MAIN}"
# Only a merge request is out of date by a newer push: a merge must not end a publication.
_WHOLE: Mapping[str, Any] = MappingProxyType({"auto_cancel": {"on_new_commit": "none"}})
_STORE_CACHE = "lamina-$LAMINA_DISTRO"

# What the job before found out; without it nothing was, and everything is done.
_SKIP = """\
if [[ ${LAMINA_CHANGED:-true} == false ]]; then
    echo "nothing has changed"
    exit 0
fi
"""
_PATH = f'export PATH="$PWD/{scripts.VENV}/bin:$PATH"\n'


def pipeline(request: Request) -> str:
    """Return the text of the pipeline."""
    value = {
        "workflow": {
            "rules": [
                {"if": _REQUESTED},
                {"if": _PUBLISHES, "variables": {"LAMINA_UPDATE": "true"}, **_WHOLE},
                {"if": _IN_MAIN, **_WHOLE},
            ]
        },
        "stages": ["plan", "trunk", "branches", "publish"]
        if request.groups.branches
        else ["plan", "trunk", "publish"],
        "variables": {**scripts.environment(request), "LAMINA_UPDATE": "false"},
        ".lamina": _common(request),
        "plan": _plan(request),
        **_builds(request),
        "publish": _publish(request),
    }
    return document(value, command=request.command("gitlab"))


def listed(value: Any) -> Iterator[str]:
    """Yield the images of each group of a pipeline that was parsed, the trunk's first."""
    for name, job in value.items():
        if name == "trunk" or name.startswith(_BRANCH):
            yield job["variables"]["LAMINA_IMAGES"]


def _common(request: Request) -> Mapping[str, Any]:
    return {
        "image": _DEBIAN,
        **({"tags": [request.runner]} if request.runner else {}),
        "interruptible": True,
        "cache": {"key": _STORE_CACHE, "paths": list(scripts.kept(request)), "policy": "pull"},
    }


def _plan(request: Request) -> Mapping[str, Any]:
    return {
        "extends": ".lamina",
        "stage": "plan",
        "timeout": "30 minutes",
        "variables": {"LAMINA_IMAGES": request.images()},
        "before_script": [*_set_up(), *([scripts.LOGIN] if request.cache else [])],
        "script": [
            scripts.LOCK,
            scripts.decide(request),
            'echo "LAMINA_CHANGED=$changed" >lamina.env\n',
        ],
        "artifacts": {
            "paths": [request.lock],
            "reports": {"dotenv": "lamina.env"},
        },
    }


def _builds(request: Request) -> Mapping[str, Any]:
    """Return the jobs that build groups."""
    trunk, branches = request.groups.trunk, request.groups.branches
    # A single group is what the job that publishes builds itself.
    alone = [] if request.cache else [{"if": _PUBLISHES, "when": "never"}]
    jobs = {
        ".build": {
            "extends": ".lamina",
            "timeout": "3 hours",
            "rules": [*alone, {"when": "on_success"}],
            "before_script": [_SKIP, *_set_up(), scripts.LOGIN],
            "script": [scripts.BUILD, *([_shared()] if request.cache else [])],
            "artifacts": _logs(),
        },
        "trunk": {
            "extends": ".build",
            "stage": "trunk",
            "needs": ["plan"],
            "variables": {"LAMINA_IMAGES": names_of(trunk)},
        },
    }
    for number, branch in enumerate(branches, start=1):
        jobs[f"{_BRANCH}{number}"] = {
            "extends": ".build",
            "stage": "branches",
            "needs": ["plan", "trunk"],
            "variables": {"LAMINA_IMAGES": names_of(branch)},
        }
    return jobs


def _shared() -> str:
    """Return the script that shares images, but not those that a merge request asks for."""
    body = indent(scripts.SHARE, "    ")
    return f"if [[ $CI_PIPELINE_SOURCE != merge_request_event ]]; then\n{body}fi\n"


def _publish(request: Request) -> Mapping[str, Any]:
    return {
        "extends": ".lamina",
        "stage": "publish",
        "timeout": "3 hours",
        "interruptible": False,
        # One at a time, whatever starts pipelines.
        "resource_group": "lamina-publish",
        "environment": "lamina",
        "rules": [{"if": _PUBLISHES}],
        "variables": {"LAMINA_IMAGES": request.images()},
        "cache": {"key": _STORE_CACHE, "paths": list(scripts.kept(request)), "policy": "pull-push"},
        "before_script": [*_set_up(), scripts.LOGIN],
        "script": [scripts.BUILD, scripts.PUBLISH, scripts.TIDY],
        "artifacts": {"when": "always", "paths": [scripts.DIGESTS, scripts.LOGS]},
    }


def _set_up() -> list[str]:
    return [scripts.PACKAGES, scripts.INSTALL, _PATH]


def _logs() -> Mapping[str, Any]:
    return {"when": "on_failure", "paths": [scripts.LOGS], "expire_in": "2 weeks"}
