"""A small GitHub: runs a workflow's jobs in their order, and stands in for the actions it uses."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.ci.expressions import github_text, github_value
from tests.ci.machine import Job, Machine

BRANCH = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """What outlives a run: caches, in `folder`, and the secrets."""

    folder: Path
    machine: Machine
    secrets: Mapping[str, str]
    update: bool = True  # whether runs that publish may ask the mirrors for newer packages

    def archive(self, key: str, paths: str) -> Path:
        """Return where a cache lies; it is found for the paths only that it was made of."""
        return self.folder / f"cache-{key}-{zlib.crc32(paths.encode())}.tar"

    def run(self, repository: Path, event: str, *, number: int) -> Mapping[str, Job]:
        """Run the workflow of a repository; a matrix job counts once for each of its members."""
        value = yaml.safe_load((repository / ".github/workflows/lamina.yml").read_text())
        contexts: dict[str, Any] = {
            "github": {
                "event_name": event,
                "run_id": str(number),
                "ref": "refs/pull/7/merge" if event == "pull_request" else f"refs/heads/{BRANCH}",
                "ref_name": "7/merge" if event == "pull_request" else BRANCH,
                "ref_type": "branch",
                "event": {} if event == "schedule" else {"repository": {"default_branch": BRANCH}},
            },
            "secrets": self.secrets,
            "needs": {},
        }
        contexts["env"] = {k: github_text(str(v), contexts) for k, v in value["env"].items()}
        if not self.update:
            contexts["env"]["LAMINA_UPDATE"] = "false"
        done: dict[str, Job] = {}
        for name, job in value["jobs"].items():
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            assert all(need in contexts["needs"] for need in needs), "a job before what it needs"
            results = [contexts["needs"][need]["result"] for need in needs]
            if not _wanted(job.get("if"), contexts, results):
                contexts["needs"][name] = {"result": "skipped", "outputs": {}}
                done[name] = Job(outcome="skipped")
                continue
            members = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
            jobs = {
                f"{name} {member['group']}" if member else name: _JobRun(
                    github=self,
                    job=job,
                    repository=repository,
                    workspace=self.folder / f"run-{number}" / f"{name}-{member.get('group', '')}",
                    artifacts=self.folder / f"run-{number}" / "artifacts",
                    contexts={**contexts, "matrix": member},
                ).run()
                for member in members
            }
            done.update(jobs)
            outcomes = {each.outcome for each in jobs.values()}
            contexts["needs"][name] = {
                "result": "failure" if "failure" in outcomes else "success",
                "outputs": next(iter(jobs.values())).outputs or {},
            }
        return done


def _wanted(condition: str | None, contexts: Mapping[str, Any], results: list[str]) -> bool:
    """Tell whether a job runs, by its own condition or, without one, if all went well."""
    fine = all(result == "success" for result in results)
    status = {"failure": "failure" in results, "cancelled": False, "success": fine}
    if condition is None:
        return fine
    expression = condition.removeprefix("${{").removesuffix("}}")
    asks = any(f"{name}()" in expression for name in status)
    return bool(github_value(expression, contexts, status.__getitem__)) and (asks or fine)


@dataclass(slots=True, kw_only=True)
class _JobRun:
    """One job at work."""

    github: GitHub
    job: Mapping[str, Any]
    repository: Path
    workspace: Path
    artifacts: Path
    contexts: dict[str, Any]
    paths: list[str] = field(default_factory=list)
    output: str = ""
    failed: bool = False

    def run(self) -> Job:
        self.workspace.mkdir(parents=True)
        self.contexts["env"] = {**self.contexts["env"], **self._texts(self.job.get("env", {}))}
        self.contexts["steps"] = {}
        names = []
        for step in self.job["steps"]:
            if self._runs(step.get("if")):
                names.append(step["name"])
                self._step(step)
        shutil.rmtree(self.workspace)
        return Job(
            outcome="failure" if self.failed else "success",
            output=self.output,
            steps=tuple(names),
            outputs=self._texts(self.job.get("outputs", {})),
        )

    def _runs(self, condition: str | None) -> bool:
        status = {"failure": self.failed, "success": not self.failed, "cancelled": False}
        if condition is None:
            return not self.failed
        expression = condition.removeprefix("${{").removesuffix("}}")
        asks = any(f"{name}()" in expression for name in status)
        wanted = github_value(expression, self.contexts, status.__getitem__)
        return bool(wanted) and (asks or not self.failed)

    def _step(self, step: Mapping[str, Any]) -> None:
        if "uses" in step:
            action = step["uses"].partition("@")[0]
            _ACTIONS[action](self, self._texts(step.get("with", {})))
            return
        written = self.workspace.with_suffix(".output")
        path = self.workspace.with_suffix(".path")
        for file in (written, path):
            file.write_text("")
        ran = self.github.machine.run(
            step["run"],
            self.workspace,
            {
                **self.contexts["env"],
                **self._texts(step.get("env", {})),
                "GITHUB_OUTPUT": str(written),
                "GITHUB_PATH": str(path),
            },
            path=self.paths,
        )
        self.output += f"## {step['name']}\n{ran.output}"
        self.failed = ran.code != 0
        self.paths += path.read_text().split()
        if "id" in step:
            pairs = (line.split("=", 1) for line in written.read_text().splitlines())
            self.contexts["steps"][step["id"]] = {"outputs": dict(pairs)}

    def _texts(self, texts: Mapping[str, Any]) -> dict[str, str]:
        return {name: github_text(str(text), self.contexts) for name, text in texts.items()}

    def check_out(self, _: Mapping[str, str]) -> None:
        shutil.copytree(self.repository, self.workspace, dirs_exist_ok=True)

    def restore(self, given: Mapping[str, str]) -> None:
        """Take the cache of the key, or the newest one that begins as is allowed."""
        exact = self.github.archive(given["key"], given["path"])
        older = self.github.folder.glob(
            self.github.archive(f"{given['restore-keys']}*", given["path"]).name
        )
        newest = sorted(older, key=lambda file: file.stat().st_mtime_ns)
        for archive in [exact] if exact.exists() else newest[-1:]:
            subprocess.run(["tar", "-C", self.workspace, "-xpf", archive], check=True)

    def save(self, given: Mapping[str, str]) -> None:
        there = [path for path in given["path"].split() if (self.workspace / path).exists()]
        assert there
        archive = self.github.archive(given["key"], given["path"])
        subprocess.run(["tar", "-C", str(self.workspace), "-cf", str(archive), *there], check=True)

    def upload(self, given: Mapping[str, str]) -> None:
        source = self.workspace / given["path"]
        target = self.artifacts / given["name"]
        assert not target.exists(), "an artifact is never written twice"
        if given.get("if-no-files-found") == "error":
            assert source.exists()
        target.mkdir(parents=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, target)

    def download(self, given: Mapping[str, str]) -> None:
        target = self.workspace / given["path"]
        shutil.copytree(self.artifacts / given["name"], target, dirs_exist_ok=True)


_ACTIONS = {
    "actions/checkout": _JobRun.check_out,
    "actions/cache/restore": _JobRun.restore,
    "actions/cache/save": _JobRun.save,
    "actions/upload-artifact": _JobRun.upload,
    "actions/download-artifact": _JobRun.download,
}
