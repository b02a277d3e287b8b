"""What pipelines say: golden files, the systems' own schemas, linters, no secret, no injection."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from tests.ci.expressions import github_text, github_value
from tests.ci.requests import CASES, GOLDEN, LARGE, ONE, PLAIN, a_request
from tests.ci.shell import scripts_in

from lamina.ci import Request, System, make_files, scripts
from lamina.ci.cadence import Schedule
from lamina.ci.document import MARK

TOOLS = Path(sys.executable).parent


def run(*words: str | Path, text: str | None = None) -> str:
    """Run a tool of the Python environment that must find nothing; return what it says."""
    done = subprocess.run(
        [TOOLS / words[0], *words[1:]], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path, name: str) -> Path:
    """A repository with the pipeline of a golden case."""
    for path, text in make_files(*GOLDEN[name]).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def cases(system: System) -> list[str]:
    return [name for name in GOLDEN if name.startswith(system)]


@pytest.mark.parametrize("name", GOLDEN)
def test_a_pipeline_is_as_its_golden_files_have_it(name: str) -> None:
    made = {
        path.replace("/", "_").lstrip("._"): text
        for path, text in make_files(*GOLDEN[name]).items()
    }

    golden = {file.name: file.read_text() for file in (CASES / name).iterdir()}
    assert made == golden, "look at it, then `python -m tests.ci.requests`"


@pytest.mark.parametrize("name", cases(System.GITHUB))
def test_a_workflow_follows_the_schema_of_github(repository: Path) -> None:
    workflow = repository / ".github/workflows/lamina.yml"
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)


@pytest.mark.parametrize("name", cases(System.GITHUB))
def test_a_workflow_gives_no_way_in(repository: Path) -> None:
    # The image of the runners is Debian's newest on purpose: it brings the security updates.
    (repository / "zizmor.yml").write_text("rules: {unpinned-images: {disable: true}}\n")

    run("zizmor", "--offline", "--no-progress", "--persona=pedantic", repository)


@pytest.mark.parametrize("name", cases(System.GITLAB))
def test_a_pipeline_follows_the_schema_of_gitlab(repository: Path) -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", repository / ".gitlab-ci.yml")


@pytest.mark.parametrize("name", cases(System.ZUUL))
def test_jobs_follow_the_schema_of_zuul_and_run_playbooks_that_are_there(repository: Path) -> None:
    value = yaml.safe_load((repository / ".zuul.d/lamina.yaml").read_text())

    assert list(Draft7Validator(zuul_schema()).iter_errors(value)) == []
    jobs = {entry["job"]["name"]: entry["job"] for entry in value if "job" in entry}
    for job in jobs.values():
        assert job["parent"] in {"base", *jobs}
        assert set(job.get("dependencies", ())) <= set(jobs)
        for phase in {"pre-run", "run", "post-run"} & job.keys():
            assert (repository / job[phase]).is_file()


def zuul_schema() -> Any:
    schema = json.loads((files("zuul_lint") / "zuul-schema.json").read_text())
    # Zuul has called it so since the linter was written.
    schema["definitions"]["job"]["properties"]["semaphores"] = {"type": "array"}
    return schema


@pytest.mark.skipif(
    os.environ.get("LAMINA_PIPELINES") != "all", reason="LAMINA_PIPELINES=all installs Zuul"
)
@pytest.mark.parametrize("name", cases(System.ZUUL))
def test_zuul_itself_reads_the_jobs(repository: Path) -> None:
    interpreter = ("uv", "run", "--no-project", "--with", ZUUL, "python", "-c", READ_BY_ZUUL)
    run(*interpreter, text=(repository / ".zuul.d/lamina.yaml").read_text())


ZUUL = "zuul==14.3.0"
READ_BY_ZUUL = """
import sys
import yaml
from zuul import configloader

schemas = {
    "job": configloader.JobParser.schema,
    "project": configloader.ProjectParser(None).schema,
    "semaphore": configloader.SemaphoreParser(None).schema,
}
for entry in yaml.safe_load(sys.stdin):
    ((kind, value),) = entry.items()
    schemas[kind](value)
"""


@pytest.mark.parametrize("name", GOLDEN)
def test_every_script_is_right_for_bash(name: str) -> None:
    found = [script for text in make_files(*GOLDEN[name]).values() for script in scripts_in(text)]
    assert any("lamina build" in script for script in found)
    for script in found:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        run("shellcheck", "--shell=bash", "-", text=script)


@pytest.mark.parametrize("system", System)
def test_scripts_are_the_same_whatever_is_asked_for(system: System) -> None:
    other = replace(LARGE, groups=ONE, count=1, cache=None)

    plain, changed = (
        {script for text in make_files(system, request).values() for script in scripts_in(text)}
        for request in (PLAIN, other)
    )

    # Texts come to them by the environment alone.
    assert plain == changed
    for text in make_files(system, LARGE).values():
        for script in scripts_in(text):
            assert "${{" not in script
            assert not re.search(r"zebra|example\.org|builders|locks/|mine", script)


@pytest.mark.parametrize("system", System)
def test_nobody_sees_a_password(system: System) -> None:
    for text in make_files(system, LARGE).values():
        for script in scripts_in(text):
            lines = [line.strip() for line in script.splitlines() if "PASSWORD" in line]
            assert set(lines) <= {
                "if [[ -n ${LAMINA_REGISTRY_PASSWORD:-} && $LAMINA_REGISTRY != http://* ]]; then",
                "printf '%s' \"$LAMINA_REGISTRY_PASSWORD\" |",
            }
            assert "set -x" not in script


@pytest.mark.parametrize("name", GOLDEN)
def test_a_file_says_how_it_was_made(name: str) -> None:
    system, request = GOLDEN[name]
    for text in make_files(system, request).values():
        first = text.splitlines()[0]
        assert first.startswith(MARK)
        assert f"`{request.command(system)}`" in first


def test_an_action_is_one_commit_and_says_its_version() -> None:
    text = "".join(make_files(System.GITHUB, LARGE).values())

    uses = re.findall(r"uses: (.*)", text)
    assert uses
    for used in uses:
        assert re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)


def test_a_workflow_grants_reading_and_nothing_else() -> None:
    (text,) = make_files(System.GITHUB, LARGE).values()
    value = yaml.safe_load(text)

    assert value["permissions"] == {}
    assert {str(job["permissions"]) for job in value["jobs"].values()} == {"{'contents': 'read'}"}


@pytest.mark.parametrize(
    ("cadence", "cron", "zuul"),
    [("daily", "17 3 * * *", "periodic"), ("weekly", "17 3 * * 1", "periodic-weekly")],
)
def test_a_schedule_follows_the_cadence(cadence: str, cron: str, zuul: str) -> None:
    request = a_request(schedule=Schedule(cadence))

    (workflow,) = make_files(System.GITHUB, request).values()
    jobs = yaml.safe_load(make_files(System.ZUUL, request)[".zuul.d/lamina.yaml"])

    assert yaml.safe_load(workflow)["on"]["schedule"] == [{"cron": cron}]
    assert jobs[-1]["project"][zuul] == {"jobs": ["lamina-publish"]}


def a_run(event: str, ref_type: str, ref_name: str) -> Any:
    """Return what GitHub tells a workflow of a run; of a schedule, nothing of the repository."""
    folder = {"branch": "heads", "tag": "tags"}[ref_type]
    told: Any = {} if event == "schedule" else {"repository": {"default_branch": "main"}}
    return {
        "github": {
            "event_name": event,
            "ref_type": ref_type,
            "ref_name": ref_name,
            "ref": f"refs/{folder}/{ref_name}",
            "event": told,
        },
        "secrets": {"LAMINA_REGISTRY_USER": "user", "LAMINA_REGISTRY_PASSWORD": "secret"},
        "needs": {"plan": {"outputs": {"changed": "true"}}},
    }


@pytest.mark.parametrize(
    ("event", "ref_type", "ref_name", "publishes", "trusted"),
    [
        ("schedule", "branch", "main", True, True),
        ("workflow_dispatch", "branch", "main", True, True),
        ("push", "branch", "main", False, True),
        ("workflow_dispatch", "branch", "trial", False, False),
        ("workflow_dispatch", "tag", "main", False, False),
        ("push", "branch", "master", False, False),
        ("pull_request", "branch", "7/merge", False, False),
    ],
)
@pytest.mark.parametrize("request_", [PLAIN, LARGE], ids=["plain", "large"])
def test_a_run_publishes_or_builds_and_only_the_default_branch_sees_secrets(
    event: str,
    ref_type: str,
    ref_name: str,
    publishes: bool,
    trusted: bool,
    request_: Request,
) -> None:
    (text,) = make_files(System.GITHUB, request_).values()
    value = yaml.safe_load(text)
    run_ = a_run(event, ref_type, ref_name)

    def holds(job: str) -> bool:
        condition = value["jobs"][job]["if"].removeprefix("${{").removesuffix("}}")
        return bool(github_value(condition, run_, lambda name: name == "success"))

    assert holds("publish") == publishes
    # Without a cache the job that publishes builds everything; no run builds nothing.
    assert holds("trunk") == (not publishes or bool(request_.cache))
    assert github_text(value["env"]["LAMINA_UPDATE"], run_) == str(publishes).lower()
    group = github_text(value["concurrency"]["group"], run_)
    assert (group == "lamina-publish") == publishes
    for step in (step for job in value["jobs"].values() for step in job["steps"]):
        for name, secret in step.get("env", {}).items():
            seen = github_text(secret, run_)
            assert seen == (run_["secrets"][name] if trusted else ""), step["name"]
        if step["name"] == "Share with later jobs":
            condition = step["if"].removeprefix("${{").removesuffix("}}")
            assert bool(github_value(condition, run_, lambda _: False)) == trusted


def test_a_job_that_is_run_again_can_keep_its_artifacts() -> None:
    (text,) = make_files(System.GITHUB, LARGE).values()

    jobs = yaml.safe_load(text)["jobs"].values()
    kept = [
        step["with"]
        for job in jobs
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/upload-artifact@")
    ]
    assert len(kept) == len({artifact["name"] for artifact in kept}) == 5
    assert all(artifact["overwrite"] is True for artifact in kept)


def test_no_merge_ends_what_publishes_in_gitlab() -> None:
    (text,) = make_files(System.GITLAB, LARGE).values()

    rules = yaml.safe_load(text)["workflow"]["rules"]
    endless = [rule for rule in rules if rule.get("auto_cancel") == {"on_new_commit": "none"}]
    assert rules[1:] == endless
    assert "merge_request_event" in rules[0]["if"]


@pytest.mark.parametrize(
    ("update", "lock", "asked"),
    [
        ("true", False, "lock --update"),
        ("true", True, "lock --update"),
        ("false", True, "lock --check"),
        ("false", False, "lock"),
    ],
)
def test_a_run_that_publishes_asks_for_the_newest_packages_and_no_other_does(
    tmp_path: Path,
    update: str,
    lock: bool,
    asked: str,
) -> None:
    command = tmp_path / "lamina"
    command.write_text('#!/bin/sh\necho "$@"\n')
    command.chmod(0o755)
    if lock:
        (tmp_path / "fleet.lock.json").write_text("{}")

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", scripts.LOCK],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "LAMINA_UPDATE": update,
            "LAMINA_LOCK": "fleet.lock.json",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"{asked}\n"


def test_every_playbook_of_zuul_that_builds_plans_first() -> None:
    made = make_files(System.ZUUL, LARGE)

    for name in ("build", "share", "publish"):
        text = made[f"playbooks/lamina/{name}.yaml"]
        assert text.index("lamina plan") < text.index("lamina build")
