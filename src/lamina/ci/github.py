"""The pipeline as a workflow of GitHub Actions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from lamina.ci import scripts
from lamina.ci.cadence import CRON
from lamina.ci.document import document
from lamina.ci.request import Request, names_of

FILE = ".github/workflows/lamina.yml"

# By commit, which nobody can move; the version is for people.
_ACTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "actions/checkout": ("8e8c483db84b4bee98b60c0593521ed34d9990e8", "v6.0.1"),
        "actions/cache": ("9255dc7a253b0ccc959486e2bca901246202afeb", "v5.0.1"),
        "actions/upload-artifact": ("b7c566a772e6b6bfb58ed0dc250532a479d7789f", "v6.0.0"),
        "actions/download-artifact": ("37930b1c2abaa49bbe596cd826c3c89aef350131", "v7.0.0"),
    }
)
_RUNNER = "ubuntu-24.04"
_DEBIAN = "debian:13"

# A schedule is always the default branch's, and its event may say nothing of the repository. A tag
# may be called like the branch, so the type of the reference counts too.
_OF_MAIN = (
    "github.ref_type == 'branch' && github.ref_name == github.event.repository.default_branch"
)
_IN_MAIN = f"(github.event_name == 'schedule' || {_OF_MAIN})"
# Started by hand on another branch, a run is like that of a merge: it builds and tests.
_PUBLISHES = (
    f"(github.event_name == 'schedule' || github.event_name == 'workflow_dispatch' && {_OF_MAIN})"
)
# Code that is not in the default branch sees no secret.
_SECRETS: Mapping[str, str] = MappingProxyType(
    {
        name: f"${{{{ {_IN_MAIN} && secrets.{name} || '' }}}}"
        for name in ("LAMINA_REGISTRY_USER", "LAMINA_REGISTRY_PASSWORD")
    }
)
_CACHE_KEY = "lamina-${{ env.LAMINA_DISTRO }}-"


def workflow(request: Request) -> str:
    """Return the text of the workflow."""
    value = {
        "name": "lamina",
        "on": {
            "pull_request": {},
            "push": {"branches": ["main", "master"]},
            "schedule": [{"cron": CRON[request.schedule]}],
            "workflow_dispatch": {},
        },
        "permissions": {},
        "concurrency": {
            # Runs that publish wait for each other; of a pull request the newest run counts.
            "group": f"lamina-${{{{ {_PUBLISHES} && 'publish' || github.ref }}}}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "env": {
            **scripts.environment(request),
            "LAMINA_UPDATE": f"${{{{ {_PUBLISHES} }}}}",
        },
        "defaults": {"run": {"shell": "bash"}},
        "jobs": {
            "plan": _plan(request),
            **_builds(request),
            "publish": _publish(request),
        },
    }
    text = document(value, command=request.command("github"))
    return re.sub(
        r"^(\s+(?:- )?uses: ([\w-]+/[\w-]+)\S*)$",
        lambda match: f"{match[1]} # {_ACTIONS[match[2]][1]}",
        text,
        flags=re.MULTILINE,
    )


def listed(value: Any) -> Iterator[str]:
    """Yield the images of each group of a workflow that was parsed, the trunk's first."""
    jobs = value["jobs"]
    yield jobs["trunk"]["env"]["LAMINA_IMAGES"]
    if "branches" in jobs:
        for group in jobs["branches"]["strategy"]["matrix"]["include"]:
            yield group["images"]


def _plan(request: Request) -> Mapping[str, Any]:
    changed = scripts.decide(request) + 'echo "changed=$changed" >>"$GITHUB_OUTPUT"\n'
    return {
        "name": "lock and plan",
        **_machine(request, minutes=30),
        "outputs": {"changed": "${{ steps.plan.outputs.changed }}"},
        "env": {"LAMINA_IMAGES": request.images()},
        "steps": [
            *_set_up(),
            _restore(request),
            {"name": "Lock", "run": scripts.LOCK},
            {
                "name": "Plan",
                "id": "plan",
                **({"env": dict(_SECRETS)} if request.cache else {}),
                "run": (scripts.LOGIN if request.cache else "") + changed,
            },
            {
                "name": "Keep the lock",
                **_upload("lamina-lock", request.lock, **{"if-no-files-found": "error"}),
            },
        ],
    }


def _builds(request: Request) -> Mapping[str, Any]:
    """Return the jobs that build groups: the trunk's, and one for all branches."""
    groups = request.groups
    changed = "needs.plan.outputs.changed == 'true'"
    # A single group is what the job that publishes builds itself.
    alone = "" if request.cache else f" && !{_PUBLISHES}"
    jobs = {
        "trunk": {
            "name": "build and test" if not groups.branches else "build and test the trunk",
            "needs": "plan",
            "if": f"${{{{ {changed}{alone} }}}}",
            **_machine(request, minutes=180),
            "env": {"LAMINA_IMAGES": names_of(groups.trunk)},
            "steps": _build_steps(request, name="trunk"),
        }
    }
    if groups.branches:
        jobs["branches"] = {
            "name": "build and test group ${{ matrix.group }}",
            "needs": ["plan", "trunk"],
            "strategy": {
                "fail-fast": False,
                "matrix": {
                    "include": [
                        {"group": number, "images": names_of(branch)}
                        for number, branch in enumerate(groups.branches, start=1)
                    ]
                },
            },
            **_machine(request, minutes=180),
            "env": {"LAMINA_IMAGES": "${{ matrix.images }}"},
            "steps": _build_steps(request, name="group-${{ matrix.group }}"),
        }
    return jobs


def _build_steps(request: Request, *, name: str) -> list[Mapping[str, Any]]:
    share = {
        "name": "Share with later jobs",
        "if": f"${{{{ {_IN_MAIN} }}}}",
        "env": dict(_SECRETS),
        "run": scripts.LOGIN + scripts.SHARE,
    }
    return [
        *_set_up(),
        _restore(request),
        _locked(request),
        {"name": "Build and test", "env": dict(_SECRETS), "run": scripts.LOGIN + scripts.BUILD},
        *([share] if request.cache else []),
        _logs(name),
    ]


def _publish(request: Request) -> Mapping[str, Any]:
    needs = ["plan", "trunk", *(["branches"] if request.groups.branches else [])]
    return {
        "name": "publish what is due",
        "needs": needs,
        # Jobs that had nothing to do are no reason not to publish what has become due.
        "if": f"${{{{ !cancelled() && !failure() && {_PUBLISHES} }}}}",
        **_machine(request, minutes=180),
        "environment": "lamina",
        "env": {"LAMINA_IMAGES": request.images()},
        "steps": [
            *_set_up(),
            _restore(request),
            _locked(request),
            {"name": "Build and test", "env": dict(_SECRETS), "run": scripts.LOGIN + scripts.BUILD},
            {"name": "Publish", "env": dict(_SECRETS), "run": scripts.LOGIN + scripts.PUBLISH},
            {"name": "Keep the digests", **_upload("lamina-digests", scripts.DIGESTS)},
            {"name": "Tidy the store", "run": scripts.TIDY},
            {
                "name": "Save the store",
                "uses": _action("actions/cache", "save"),
                "with": {
                    "path": _lines(scripts.kept(request)),
                    "key": f"{_CACHE_KEY}${{{{ github.run_id }}}}",
                },
            },
            _logs("publish"),
        ],
    }


def _machine(request: Request, *, minutes: int) -> Mapping[str, Any]:
    """Return where a job runs: as root in Debian, with leave to mount and to make namespaces."""
    return {
        "runs-on": request.runner or _RUNNER,
        "container": {"image": _DEBIAN, "options": "--privileged"},
        "timeout-minutes": minutes,
        "permissions": {"contents": "read"},
    }


def _set_up() -> list[Mapping[str, Any]]:
    path = f'echo "$PWD/{scripts.VENV}/bin" >>"$GITHUB_PATH"\n'
    return [
        {
            "name": "Check out",
            "uses": _action("actions/checkout"),
            "with": {"persist-credentials": False},
        },
        {"name": "Install packages", "run": scripts.PACKAGES},
        {"name": "Install lamina", "run": scripts.INSTALL + path},
    ]


def _restore(request: Request) -> Mapping[str, Any]:
    return {
        "name": "Restore the store",
        "uses": _action("actions/cache", "restore"),
        "with": {
            "path": _lines(scripts.kept(request)),
            "key": f"{_CACHE_KEY}${{{{ github.run_id }}}}",
            "restore-keys": _CACHE_KEY,
        },
    }


def _locked(request: Request) -> Mapping[str, Any]:
    return {
        "name": "Take the lock",
        "uses": _action("actions/download-artifact"),
        "with": {"name": "lamina-lock", "path": posixpath.dirname(request.lock) or "."},
    }


def _logs(name: str) -> Mapping[str, Any]:
    return {
        "name": "Keep the logs",
        "if": "${{ failure() }}",
        **_upload(f"lamina-logs-{name}", scripts.LOGS, **{"retention-days": 14}),
    }


def _upload(name: str, path: str, **options: Any) -> Mapping[str, Any]:
    """Return how a step keeps an artifact; that of a job which is run again takes its place."""
    return {
        "uses": _action("actions/upload-artifact"),
        "with": {"name": name, "path": path, "overwrite": True, **options},
    }


def _action(name: str, part: str = "") -> str:
    return f"{name}{part and f'/{part}'}@{_ACTIONS[name][0]}"


def _lines(paths: tuple[str, ...]) -> str:
    return "".join(f"{path}\n" for path in paths)
