"""The pipeline as jobs of Zuul, and the playbooks that they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lamina.ci import scripts
from lamina.ci.cadence import Schedule
from lamina.ci.document import document
from lamina.ci.request import Request, names_of

FILE = ".zuul.d/lamina.yaml"
_PLAYBOOKS = "playbooks/lamina"
_LABEL = "debian-trixie"
_HOUR = 3600
_BUILD = "lamina-build-"

# The pipelines that most installations have for it.
_PERIODIC: Mapping[Schedule, str] = MappingProxyType(
    {Schedule.DAILY: "periodic", Schedule.WEEKLY: "periodic-weekly"}
)
_SEMAPHORE = "lamina-publish"
_SECRET = "lamina_registry"  # noqa: S105 - the name of it
_FOLDER = "{{ ansible_user_dir }}/{{ zuul.project.src_dir }}"
_SHELL_OPTIONS = "set -eo pipefail\n"
_ENVIRONMENT = MappingProxyType(
    {
        "LAMINA_IMAGES": "{{ lamina_images }}",
        "LAMINA_UPDATE": "{{ lamina_update }}",
        "PATH": f"{_FOLDER}/{scripts.VENV}/bin:{{{{ ansible_env.PATH }}}}",
    }
)
_AUTH_FILE = MappingProxyType({"REGISTRY_AUTH_FILE": "{{ lamina_login.path }}/auth.json"})
_CREDENTIALS = MappingProxyType(
    {
        "LAMINA_REGISTRY_USER": f"{{{{ {_SECRET}.user }}}}",
        "LAMINA_REGISTRY_PASSWORD": f"{{{{ {_SECRET}.password }}}}",
    }
)


def files(request: Request) -> Mapping[str, str]:
    """Return the jobs and their playbooks by path."""
    command = request.command("zuul")
    lock = _script("Lock", scripts.LOCK)
    plan = _script("Plan", scripts.plan(request))
    build = _script("Build and test", scripts.BUILD)
    share = _script("Share with later jobs", scripts.SHARE)
    publish = _script("Publish what is due", scripts.PUBLISH)
    values = {
        FILE: _configuration(request),
        f"{_PLAYBOOKS}/pre.yaml": _play(request, _set_up()),
        f"{_PLAYBOOKS}/build.yaml": _play(request, [lock, plan, build]),
        **(
            {f"{_PLAYBOOKS}/share.yaml": _play(request, [lock, *_signed_in([plan, build, share])])}
            if request.cache
            else {}
        ),
        f"{_PLAYBOOKS}/publish.yaml": _play(request, [lock, *_signed_in([plan, build, publish])]),
        f"{_PLAYBOOKS}/post.yaml": _play(request, _kept()),
    }
    return {path: document(value, command=command) for path, value in values.items()}


def listed(value: Any) -> Iterator[str]:
    """Yield the images of each group of a configuration that was parsed, the trunk's first."""
    for entry in value:
        job = entry.get("job", {})
        if job.get("name", "").startswith(_BUILD):
            yield job["vars"]["lamina_images"]


def _configuration(request: Request) -> list[Mapping[str, Any]]:
    groups = request.groups
    names = ["trunk", *(f"branch-{number}" for number in range(1, len(groups)))]
    images = dict(zip(names, map(names_of, groups), strict=True))
    builds = [_build(name, images[name]) for name in names]
    shares = [_share(name, images[name]) for name in names] if request.cache else []
    check = {"jobs": [job["name"] for job in builds]}
    due = [*(job["name"] for job in shares), "lamina-publish"]
    return [
        {"semaphore": {"name": _SEMAPHORE, "max": 1}},
        {"job": _base(request)},
        *({"job": job} for job in (*builds, *shares)),
        {"job": _publish(request, [job["name"] for job in shares])},
        {
            "project": {
                "check": check,
                "gate": check,
                _PERIODIC[request.schedule]: {"jobs": due},
            }
        },
    ]


def _base(request: Request) -> Mapping[str, Any]:
    return {
        "name": "lamina",
        "parent": "base",
        "abstract": True,
        "description": "Builds images of a fleet with lamina.",
        "nodeset": {"nodes": [{"name": "builder", "label": request.runner or _LABEL}]},
        "timeout": 3 * _HOUR,
        "pre-run": f"{_PLAYBOOKS}/pre.yaml",
        "post-run": f"{_PLAYBOOKS}/post.yaml",
        "vars": {"lamina_update": "false"},
    }


def _build(name: str, images: str) -> dict[str, Any]:
    return {
        "name": f"{_BUILD}{name}",
        "parent": "lamina",
        "description": "Builds and tests a group of images, as the lock of the change has them.",
        "run": f"{_PLAYBOOKS}/build.yaml",
        "vars": {"lamina_images": images},
        **({} if name == "trunk" else {"dependencies": [f"{_BUILD}trunk"]}),
    }


def _share(name: str, images: str) -> dict[str, Any]:
    return {
        "name": f"lamina-share-{name}",
        "parent": "lamina",
        "description": "Builds a group of images of the newest packages, and shares them.",
        "run": f"{_PLAYBOOKS}/share.yaml",
        **_with_secret(),
        "vars": {"lamina_images": images, "lamina_update": "true"},
        **({} if name == "trunk" else {"dependencies": ["lamina-share-trunk"]}),
    }


def _publish(request: Request, shares: Sequence[str]) -> Mapping[str, Any]:
    return {
        "name": "lamina-publish",
        "parent": "lamina",
        "description": "Publishes what is due of the images of the newest packages.",
        "run": f"{_PLAYBOOKS}/publish.yaml",
        **_with_secret(),
        "semaphores": [_SEMAPHORE],
        "vars": {"lamina_images": request.images(), "lamina_update": "true"},
        **({"dependencies": list(shares)} if shares else {}),
    }


def _with_secret() -> Mapping[str, Any]:
    # A change that nobody has reviewed must not see the secret.
    return {"post-review": True, "secrets": [{"name": _SECRET, "secret": _SECRET}]}


def _play(request: Request, tasks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [
        {
            "name": "Lamina",
            "hosts": "all",
            "tasks": [
                {
                    "name": "Work in the repository",
                    # Not that of the play: facts are gathered in it, and some are asked for here.
                    "environment": {**scripts.environment(request), **_ENVIRONMENT},
                    "block": list(tasks),
                }
            ],
        }
    ]


def _set_up() -> list[Mapping[str, Any]]:
    return [
        _script("Install packages", scripts.PACKAGES),
        _script("Install lamina", scripts.INSTALL),
    ]


def _script(name: str, script: str) -> Mapping[str, Any]:
    """Return a task that runs a script as root: lamina mounts, and makes namespaces."""
    return {
        "name": name,
        "become": True,
        "ansible.builtin.shell": {
            "cmd": _SHELL_OPTIONS + script,
            "chdir": _FOLDER,
            "executable": "/bin/bash",
        },
        "changed_when": True,
    }


def _signed_in(tasks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return tasks that have a file with the login, which is gone after them."""
    folder = {
        "name": "Make a folder for the login",
        "become": True,
        "ansible.builtin.tempfile": {"state": "directory"},
        "register": "lamina_login",
    }
    sign_in = {
        **_script("Sign in to the registry", scripts.SIGN_IN),
        "environment": {**_CREDENTIALS, **_AUTH_FILE},
        "no_log": True,
    }
    remove = {
        "name": "Remove the login",
        "become": True,
        "ansible.builtin.file": {"path": "{{ lamina_login.path }}", "state": "absent"},
    }
    block = {
        "name": "Work with the registry",
        "environment": dict(_AUTH_FILE),
        "block": [sign_in, *tasks],
        "always": [remove],
    }
    return [folder, block]


def _kept() -> list[Mapping[str, Any]]:
    def fetched(name: str, path: str, condition: str) -> Mapping[str, Any]:
        return {
            "name": name,
            "ansible.posix.synchronize": {
                "src": f"{_FOLDER}/{path}",
                "dest": "{{ zuul.executor.log_root }}/",
                "mode": "pull",
                "rsync_path": "sudo rsync",
            },
            "when": condition,
        }

    digests = f"{_FOLDER}/{scripts.DIGESTS}"
    return [
        fetched("Keep the logs", scripts.LOGS, "not zuul_success | bool"),
        {
            "name": "Look for the digests",
            "ansible.builtin.stat": {"path": digests},
            "register": "lamina_digests",
        },
        fetched("Keep the digests", scripts.DIGESTS, "lamina_digests.stat.exists"),
    ]
