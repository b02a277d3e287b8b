"""Generated pipelines at work: their jobs run here, in their order, over the small fleet."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.ci.actions import GitHub
from tests.ci.machine import Job, Machine
from tests.ci.requests import PLAIN
from tests.ci.runner import GitLab
from tests.conftest import SMALL, Workshop
from tests.whole.registry import registry

from lamina.ci import scripts

pytestmark = pytest.mark.real

whole = pytest.mark.skipif(
    os.environ.get("LAMINA_PIPELINES") != "all",
    reason="LAMINA_PIPELINES=all builds the small fleet several times",
)

SECRETS = {"LAMINA_REGISTRY_USER": "fleet", "LAMINA_REGISTRY_PASSWORD": ""}
CHANGE = "images: {cron: {change: {labels: {append: {trial: pipeline}}}}}\n"
WRONG = "images: {cron: {change: {labels: {append: [trial]}}}}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of a fleet, and the registry that its pipelines publish to."""

    root: Path
    workshop: Workshop
    address: str

    def make(self, *words: str) -> None:
        """Make a pipeline with these words."""
        self.workshop.lamina(
            *("ci", words[0], *SMALL, "--registry", f"{self.address}/fleet", *words[1:]),
            *("--catalog", str(self.root / "mine"), "--lock", str(self.root / "lamina.lock.json")),
            *("--to", str(self.root)),
        )

    def change(self, text: str) -> None:
        """Change the catalogue, as a proposed change does."""
        (self.root / "mine" / "infra" / "mine.yaml").write_text(text)


@pytest.fixture
def repository(built: Workshop, tmp_path: Path) -> Iterator[Repository]:
    root = tmp_path / "repository"
    (root / "mine" / "infra").mkdir(parents=True)
    (root / "mine" / "infra" / "mine.yaml").write_text("images: {}\n")
    shutil.copy(built.lock, root)
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as served:
        yield Repository(root=root, workshop=built, address=served.address)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(folder=tmp_path / "machine", extra={})


@pytest.fixture
def github(repository: Repository, machine: Machine, tmp_path: Path) -> GitHub:
    """A GitHub on which an earlier run has saved the store of the small fleet."""
    folder = tmp_path / "github"
    (folder / "saved").mkdir(parents=True)
    (folder / "saved" / scripts.STORE).symlink_to(repository.workshop.store)
    there = [path for path in scripts.kept(PLAIN) if (folder / "saved" / path).exists()]
    archive = str(folder / "cache-lamina-debian-13-1.tar")
    subprocess.run(["tar", "-C", str(folder / "saved"), "-cf", archive, *there], check=True)
    return GitHub(folder=folder, machine=machine, secrets=SECRETS, update=False)


@pytest.fixture
def gitlab(repository: Repository, machine: Machine, tmp_path: Path) -> GitLab:
    """A GitLab on which an earlier pipeline has kept the store of the small fleet."""
    found = GitLab(folder=tmp_path / "gitlab", machine=machine, secrets=SECRETS, update=False)
    (found.folder / "saved").mkdir(parents=True)
    (found.folder / "saved" / scripts.STORE).symlink_to(repository.workshop.store)
    found.keep(scripts.kept(PLAIN), found.folder / "saved", "lamina-debian-13")
    return found


def outcomes(jobs: Mapping[str, Job]) -> Mapping[str, str]:
    told = "\n".join(f"# {name}\n{job.output}" for name, job in jobs.items())
    assert "Traceback" not in told, told
    return {name: job.outcome for name, job in jobs.items()}


def test_github_builds_nothing_of_a_proposed_change_that_changes_no_image(
    repository: Repository, github: GitHub
) -> None:
    repository.make("github", "--requirement", ".")

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
    repository.change('images: {cron: {change: {test: {append: [{run: ["false"]}]}}}}\n')

    jobs = gitlab.run(repository.root, "merge_request_event", number=2)

    assert outcomes(jobs) == {"plan": "success", "trunk": "failure", "publish": "skipped"}
    kept = gitlab.folder / "pipeline-2" / "trunk-artifacts" / scripts.LOGS
    assert [file.name for file in kept.rglob("*cron*")]
