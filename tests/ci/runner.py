"""A small GitLab: runs a pipeline's jobs in their order, with caches and artifacts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.ci.expressions import gitlab_condition
from tests.ci.machine import Job, Machine

BRANCH = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLab:
    """What outlives a pipeline: caches, in `folder`, and the project's variables."""

    folder: Path
    machine: Machine
    secrets: Mapping[str, str]  # protected: not for merge requests
    update: bool = True  # whether runs that publish may ask the mirrors for newer packages

    def run(self, repository: Path, source: str, *, number: int) -> Mapping[str, Job]:
        """Run the pipeline of a repository; `source` is what GitLab calls what started it."""
        value = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())
        predefined = {"CI_PIPELINE_SOURCE": source, "CI_DEFAULT_BRANCH": BRANCH}
        if source != "merge_request_event":
            predefined["CI_COMMIT_BRANCH"] = BRANCH
        variables = {**value["variables"], **predefined}
        rule = _rule(value["workflow"]["rules"], variables)
        assert rule, "the pipeline is for no such event"
        variables |= rule.get("variables", {})
        if not self.update:
            variables["LAMINA_UPDATE"] = "false"
        if source != "merge_request_event":
            variables |= self.secrets
        reserved = {"workflow", "stages", "variables"}
        jobs = {
            name: _whole(value, name)
            for name in value
            if name not in reserved and not name.startswith(".")
        }
        done: dict[str, Job] = {}
        kept: dict[str, Path] = {}
        found: dict[str, str] = {}  # variables that jobs report
        for name in sorted(jobs, key=lambda name: value["stages"].index(jobs[name]["stage"])):
            job = jobs[name]
            if "rules" in job and not _rule(job["rules"], variables):
                done[name] = Job(outcome="skipped")
                continue
            earlier = job.get("needs", [each for each in done if each != name])
            assert all(need in done for need in earlier)
            if any(done[need].outcome == "failure" for need in earlier):
                done[name] = Job(outcome="skipped")
                continue
            workspace = self.folder / f"pipeline-{number}" / name.replace(" ", "-")
            shutil.copytree(repository, workspace)
            for need in earlier:
                if need in kept:
                    shutil.copytree(kept[need], workspace, dirs_exist_ok=True)
            environment = {**variables, **found, **job.get("variables", {})}
            self._take(job["cache"], workspace, environment)
            script = "".join((*job.get("before_script", ()), *job["script"]))
            ran = self.machine.run(script, workspace, environment)
            artifacts = self.folder / f"pipeline-{number}" / f"{name}-artifacts"
            if _keep_artifacts(
                job.get("artifacts", {}), workspace, artifacts, failed=ran.code != 0
            ):
                kept[name] = artifacts
            report = job.get("artifacts", {}).get("reports", {}).get("dotenv")
            if report and (workspace / report).exists():
                lines = (workspace / report).read_text().splitlines()
                found |= dict(line.split("=", 1) for line in lines)
            if ran.code == 0 and job["cache"]["policy"] == "pull-push":
                self.keep(job["cache"]["paths"], workspace, _key(job["cache"], environment))
            shutil.rmtree(workspace)
            done[name] = Job(outcome="failure" if ran.code else "success", output=ran.output)
        return done

    def _take(self, cache: Mapping[str, Any], workspace: Path, at: Mapping[str, str]) -> None:
        archive = self.folder / f"cache-{_key(cache, at)}"
        if archive.exists():
            shutil.copytree(archive, workspace, dirs_exist_ok=True, symlinks=True)

    def keep(self, paths: Sequence[str], workspace: Path, key: str) -> None:
        """Keep what an archive of GitLab's does: no owners, nothing but files and folders."""
        target = self.folder / f"cache-{key}"
        shutil.rmtree(target, ignore_errors=True)
        for path in paths:
            if (workspace / path).exists():
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                command = [
                    "cp",
                    "-r",
                    "--preserve=mode,timestamps",
                    workspace / path,
                    target / path,
                ]
                subprocess.run([str(word) for word in command], check=True)
        special = ["find", str(target), "!", "-type", "f", "!", "-type", "d", "!", "-type", "l"]
        subprocess.run([*special, "-delete"], check=True)


def _key(cache: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda match: variables[match[1]], cache["key"])


def _rule(rules: list[Mapping[str, Any]], variables: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the first rule that holds, unless it says never."""
    for rule in rules:
        if "if" not in rule or gitlab_condition(rule["if"], variables):
            return None if rule.get("when") == "never" else rule
    return None


def _whole(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a job with what it extends; lists are replaced, mappings are merged."""
    job = value[name]
    base = _whole(value, job["extends"]) if "extends" in job else {}
    merged = dict(base)
    for key, part in job.items():
        below = base.get(key)
        both = isinstance(part, dict) and isinstance(below, dict)
        merged[key] = {**below, **part} if both and below else part
    return merged


def _keep_artifacts(
    artifacts: Mapping[str, Any], workspace: Path, target: Path, *, failed: bool
) -> bool:
    when = artifacts.get("when", "on_success")
    if when == ("on_success" if failed else "on_failure"):
        return False
    for path in artifacts.get("paths", ()):
        source = workspace / path
        if source.is_dir():
            shutil.copytree(source, target / path, dirs_exist_ok=True)
        elif source.exists():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / path)
    return target.exists()
