"""Generated pipelines at work: their jobs run here, in their order, over the small fleet."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.ci.actions import GitHub
from tests.ci.machine import Job, Machine
from tests.ci.requests import LARGE, PLAIN
from tests.ci.runner import GitLab
from tests.conftest import SMALL, Workshop
from tests.registry.guarded import PASSWORD, USER, guarded_registry
from tests.whole.registry import Registry

from lamina.ci import scripts

pytestmark = pytest.mark.real

whole = pytest.mark.skipif(
    os.environ.get("LAMINA_PIPELINES") != "all",
    reason="LAMINA_PIPELINES=all builds the small fleet several times",
)

SECRETS = {"LAMINA_REGISTRY_USER": USER, "LAMINA_REGISTRY_PASSWORD": PASSWORD}
CHANGE = "images: {cron: {change: {labels: {append: {trial: pipeline}}}}}\n"
WRONG = "images: {cron: {change: {labels: {append: [trial]}}}}\n"
FAILING = 'images: {cron: {change: {test: {append: [{run: ["false"]}]}}}}\n'
IMAGES = 8  # of the small fleet, ancestors included


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of a fleet, and the registry that its pipelines publish to."""

    root: Path
    store: Path  # of whoever makes the pipelines
    registry: Registry

    def make(self, *words: str) -> None:
        """Make a pipeline with these words."""
        system, *others = words
        to = ("--registry", f"{self.registry.address}/fleet", "--requirement", ".", "--to", ".")
        here = Workshop(folder=self.root)
        made = ("ci", system, *SMALL, *to, *others)
        here.lamina(*made, environment={"LAMINA_STORE": str(self.store)})

    def share(self) -> None:
        """Trust a cache in the registry."""
        file = self.root / "lamina.toml"
        file.write_text(f'caches = ["{self.registry.address}/cache"]\n{file.read_text()}')

    def change(self, text: str) -> None:
        """Change the catalogue, as a proposed change does."""
        (self.root / "mine" / "infra" / "mine.yaml").write_text(text)

    def published(self, namespace: str) -> Mapping[str, str]:
        """Return the digests that the latest names of a namespace stand for."""
        return {
            name.removeprefix(f"{namespace}/").removesuffix(":latest"): digest
            for name, digest in self.registry.tags().items()
            if name.startswith(f"{namespace}/") and name.endswith(":latest")
        }


@pytest.fixture
def repository(built: Workshop, machine: Machine, tmp_path: Path) -> Iterator[Repository]:
    root = tmp_path / "repository"
    (root / "mine" / "infra").mkdir(parents=True)
    (root / "mine" / "infra" / "mine.yaml").write_text("images: {}\n")
    (root / "lamina.toml").write_text('catalog = ["mine"]\n')
    shutil.copy(built.lock, root)
    with guarded_registry(tmp_path / "registry") as served:
        machine.trust(served.address, served.certificate)
        yield Repository(root=root, store=built.store, registry=served.registry)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(folder=tmp_path / "machine")


def saved(folder: Path, store: Path) -> Path:
    """Return a workspace with a store in it."""
    workspace = folder / "saved"
    workspace.mkdir(parents=True)
    (workspace / scripts.STORE).symlink_to(store)
    return workspace


@pytest.fixture
def github(repository: Repository, machine: Machine, tmp_path: Path) -> GitHub:
    """A GitHub on which earlier runs have saved the small fleet: its store, and the downloads."""
    github = GitHub(folder=tmp_path / "github", machine=machine, secrets=SECRETS, update=False)
    workspace = saved(github.folder, repository.store)
    for request in (PLAIN, LARGE):
        paths = scripts.kept(request)
        archive = github.archive("lamina-debian-13-1", "".join(f"{path}\n" for path in paths))
        there = [path for path in paths if (workspace / path).exists()]
        subprocess.run(["tar", "-C", str(workspace), "-cf", str(archive), *there], check=True)
    return github


@pytest.fixture
def gitlab(repository: Repository, machine: Machine, tmp_path: Path) -> GitLab:
    """A GitLab on which an earlier pipeline has kept the store of the small fleet."""
    gitlab = GitLab(folder=tmp_path / "gitlab", machine=machine, secrets=SECRETS, update=False)
    workspace = saved(gitlab.folder, repository.store)
    gitlab.keep(scripts.kept(PLAIN), workspace, "lamina-debian-13")
    return gitlab


def outcomes(jobs: Mapping[str, Job]) -> Mapping[str, str]:
    told = "\n".join(f"# {name}\n{job.output}" for name, job in jobs.items())
    sys.stdout.write(told)  # pytest shows it where a test fails
    assert "Traceback" not in told
    assert PASSWORD not in told
    return {name: job.outcome for name, job in jobs.items()}


def test_github_builds_nothing_of_a_proposed_change_that_changes_no_image(
    repository: Repository, github: GitHub
) -> None:
    repository.make("github")

    jobs = github.run(repository.root, "pull_request", number=2)

    assert outcomes(jobs) == {"plan": "success", "trunk": "skipped", "publish": "skipped"}
    assert "0 to build, 8 unchanged" in jobs["plan"].output
    installed = github.machine.installed.read_text().splitlines()
    assert installed[0] == "apt-get update"
    assert " mmdebstrap " in installed[1]
    assert installed[2] == "pip install -- ."


def test_github_builds_nothing_of_a_wrong_catalogue(repository: Repository, github: GitHub) -> None:
    repository.make("github")
    repository.change(WRONG)

    jobs = github.run(repository.root, "pull_request", number=2)

    assert outcomes(jobs) == {"plan": "failure", "trunk": "skipped", "publish": "skipped"}
    assert "mine.yaml:1" in jobs["plan"].output
    assert "Plan" not in jobs["plan"].steps


def test_gitlab_builds_nothing_of_a_merge_request_that_changes_no_image(
    repository: Repository, gitlab: GitLab
) -> None:
    repository.make("gitlab")

    jobs = gitlab.run(repository.root, "merge_request_event", number=2)

    assert outcomes(jobs) == {"plan": "success", "trunk": "success", "publish": "skipped"}
    assert jobs["trunk"].output == "nothing has changed\n"


def test_github_publishes_by_schedule_what_is_due_and_the_next_day_nothing(
    repository: Repository, github: GitHub
) -> None:
    repository.make("github", "--names", "split,legacy")

    jobs = github.run(repository.root, "schedule", number=2)

    assert outcomes(jobs) == {"plan": "success", "trunk": "skipped", "publish": "success"}
    published = repository.published("fleet")
    assert {"debian-cron", "debian-binary-cron", "debian-source-openstack-base"} <= set(published)
    assert published["debian-cron"] == published["debian-source-cron"]
    assert repository.registry.unresolved() == []
    digests = json.loads(
        (github.folder / "run-2/artifacts/lamina-digests/lamina.digests.json").read_text()
    )
    assert {pinned.partition("@")[2] for pinned in digests.values()} == set(published.values())
    assert github.machine.left_over() == []
    blobs = repository.registry.blobs()

    again = github.run(repository.root, "schedule", number=3)

    assert outcomes(again) == {"plan": "success", "trunk": "skipped", "publish": "success"}
    assert repository.published("fleet") == published
    assert repository.registry.blobs().keys() == blobs.keys()


@whole
def test_github_builds_in_groups_that_share_what_they_build(
    repository: Repository, github: GitHub
) -> None:
    repository.share()
    repository.make("github", "--groups", "3")

    jobs = github.run(repository.root, "schedule", number=2)

    assert set(outcomes(jobs).values()) == {"success"}
    built = [
        line.split()[0]
        for name, job in jobs.items()
        for line in job.output.splitlines()
        if re.fullmatch(r"[\w-]+ +built .*", line)
    ]
    assert sorted(built) == sorted(set(built))  # nothing twice, in whichever job
    assert len(built) == IMAGES
    assert f"{IMAGES} pulled" in jobs["publish"].output
    assert repository.published("fleet") == repository.published("cache")
    again = github.run(repository.root, "schedule", number=3)
    assert outcomes(again) == {
        "plan": "success",
        "trunk": "skipped",
        "branches": "skipped",
        "publish": "success",
    }


@whole
def test_gitlab_builds_in_groups_that_share_what_they_build(
    repository: Repository, gitlab: GitLab
) -> None:
    repository.share()
    repository.make("gitlab", "--groups", "2")
    gitlab.keep(scripts.kept(LARGE), gitlab.folder / "saved", "lamina-debian-13")

    jobs = gitlab.run(repository.root, "schedule", number=2)

    assert set(outcomes(jobs).values()) == {"success"}
    assert f"{IMAGES} pulled" in jobs["publish"].output
    assert repository.published("fleet") == repository.published("cache")
    again = gitlab.run(repository.root, "schedule", number=3)
    assert again["trunk"].output == again["branch 1"].output == "nothing has changed\n"


@whole
def test_a_proposed_change_writes_to_no_registry(repository: Repository, github: GitHub) -> None:
    repository.share()
    repository.make("github", "--groups", "2")

    jobs = github.run(repository.root, "pull_request", number=2)

    assert outcomes(jobs) == {
        "plan": "success",
        "trunk": "success",
        "branches 1": "success",
        "publish": "skipped",
    }
    assert repository.registry.tags() == {}


@whole
def test_github_builds_and_tests_what_a_proposed_change_changes(
    repository: Repository, github: GitHub
) -> None:
    repository.make("github")
    repository.change(CHANGE)

    jobs = github.run(repository.root, "pull_request", number=2)

    assert outcomes(jobs) == {"plan": "success", "trunk": "success", "publish": "skipped"}
    assert "1 to build, 7 unchanged" in jobs["plan"].output
    assert "cron: built" in jobs["trunk"].output
    assert "6 unchanged" in jobs["trunk"].output


@whole
def test_gitlab_keeps_the_logs_of_a_failed_test(repository: Repository, gitlab: GitLab) -> None:
    repository.make("gitlab")
    repository.change(FAILING)

    jobs = gitlab.run(repository.root, "merge_request_event", number=2)

    assert outcomes(jobs) == {"plan": "success", "trunk": "failure", "publish": "skipped"}
    kept = gitlab.folder / "pipeline-2" / "trunk-artifacts" / scripts.LOGS
    assert [file.name for file in kept.rglob("*cron*")]
