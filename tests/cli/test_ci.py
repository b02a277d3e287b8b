"""`lamina ci`: pipelines printed, written, compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Lamina, values
from tests.cli.zoo import ZOO

from lamina.model.built import Built
from lamina.model.image import ImageId

REGISTRY = ("--registry", "registry.example.org/fleet", "--requirement", "lamina==0.1.0")
GROUPS = ("--groups", "3")
CACHES = "elsewhere.example.org/cache", "registry.example.org/fleet", "registry.example.org/cache"
FILES = {
    "github": [".github/workflows/lamina.yml"],
    "gitlab": [".gitlab-ci.yml"],
    "zuul": [
        ".zuul.d/lamina.yaml",
        *(f"playbooks/lamina/{name}.yaml" for name in ("pre", "build", "publish", "post")),
    ],
}


@pytest.fixture
def trusted(zoo: Path) -> None:
    """A lamina.toml that names caches."""
    (zoo / "lamina.toml").write_text(f"caches = {json.dumps(CACHES)}\n")


@pytest.mark.parametrize("system", FILES)
def test_a_pipeline_is_written_once_and_then_up_to_date(
    lamina: Lamina, zoo: Path, system: str
) -> None:
    words = ("ci", system, *ZOO, *REGISTRY, "--to", str(zoo))
    written = lamina(*words)
    assert (written.code, written.out) == (0, "".join(f"{f}: written\n" for f in FILES[system]))

    again, checked = lamina(*words), lamina(*words, "--check")

    assert again.out == "".join(f"{file}: unchanged\n" for file in FILES[system])
    assert (checked.code, checked.out) == (
        0,
        "".join(f"{file}: up to date\n" for file in FILES[system]),
    )


@pytest.mark.parametrize("system", FILES)
def test_a_stale_pipeline_is_shown_as_a_diff_and_left_alone(
    lamina: Lamina, zoo: Path, system: str
) -> None:
    words = ("ci", system, *ZOO, *REGISTRY, "--to", ".")
    assert lamina(*words).code == 0
    file = zoo / FILES[system][0]
    before = file.read_text()
    images = zoo / "zoo" / "infra" / "zebra.yaml"
    images.write_text(f"{images.read_text()}  zebra-mare: {{parent: zebra-base}}\n")

    ran = lamina(*words, "--check")

    assert ran.code == 1
    assert re.search(r"^\+.* zebra-mare\b", ran.out, re.MULTILINE)
    assert ran.out.splitlines()[-1] == f"{FILES[system][0]}: stale, run this without --check"
    assert file.read_text() == before
    assert lamina(*words).code == 0
    assert lamina(*words, "--check").code == 0


def test_a_missing_pipeline_is_stale(lamina: Lamina, zoo: Path) -> None:
    ran = lamina("ci", "gitlab", *ZOO, *REGISTRY, "--to", ".", "--check")

    assert ran.code == 1
    assert ran.out.startswith("--- /dev/null\n+++ b/.gitlab-ci.yml\n")
    assert not (zoo / ".gitlab-ci.yml").exists()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("system", FILES)
def test_the_balance_of_another_store_makes_no_pipeline_stale(
    lamina: Lamina, zoo: Path, built: Mapping[ImageId, Built], system: str
) -> None:
    words = ("ci", system, *ZOO, *REGISTRY, *GROUPS, "--to", ".")
    lamina(*words, LAMINA_STORE="empty")
    by_packages = values(lamina(*words, "--check", "--json", LAMINA_STORE="empty"))["groups"]

    ran = lamina(*words, "--check", "--json")

    assert ran.code == 0
    assert values(ran)["groups"] == by_packages
    # It matters: without --check the builds of the store count.
    assert values(lamina(*words, "--json"))["groups"] != by_packages
    assert not (zoo / "empty").exists()


@pytest.mark.usefixtures("trusted")
def test_groups_that_are_wrong_make_a_pipeline_stale(lamina: Lamina, zoo: Path) -> None:
    words = ("ci", "github", *ZOO, *REGISTRY, *GROUPS, "--to", ".")
    lamina(*words)
    file = zoo / FILES["github"][0]
    file.write_text(file.read_text().replace("zebra-server", "zebra-stable"))

    assert lamina(*words, "--check").code == 1


def test_only_what_can_be_built_is_in_a_pipeline(lamina: Lamina, zoo: Path) -> None:
    made = values(lamina("ci", "github", *ZOO, *REGISTRY, "--json"))

    assert made["groups"] == [
        ["base", "binary-yak-api", "source-yak-api", "zebra-base", "zebra-server"]
    ]
    ran = lamina("ci", "github", "zebra-client", *REGISTRY)
    assert (ran.code, ran.err.splitlines()[0]) == (
        1,
        "zebra-client: cannot be built for debian-13: too fast",
    )


def test_a_pipeline_of_the_whole_catalogue_names_none_where_it_means_all(
    lamina: Lamina, zoo: Path
) -> None:
    whole = yaml.safe_load(lamina("ci", "github", *REGISTRY).out)
    chosen = yaml.safe_load(lamina("ci", "github", "--kind", "infra", *REGISTRY).out)

    assert whole["jobs"]["publish"]["env"]["LAMINA_IMAGES"] == ""
    assert "zebra-server" in chosen["jobs"]["publish"]["env"]["LAMINA_IMAGES"].split()
    assert "source-yak-api" not in chosen["jobs"]["publish"]["env"]["LAMINA_IMAGES"].split()
    assert whole["on"]["schedule"] != chosen["on"]["schedule"]  # daily, weekly


def test_several_printed_files_are_documents_behind_their_paths(lamina: Lamina, zoo: Path) -> None:
    out = lamina("ci", "zuul", *ZOO, *REGISTRY).out

    assert re.findall(r"^--- # (.*)$", out, re.MULTILINE) == FILES["zuul"]
    assert len(list(yaml.safe_load_all(out))) == len(FILES["zuul"])


def test_a_pipeline_knows_its_catalogue_from_the_root_of_its_repository(
    lamina: Lamina, zoo: Path
) -> None:
    lamina("ci", "gitlab", *ZOO, *REGISTRY, "--to", ".")

    variables = yaml.safe_load((zoo / ".gitlab-ci.yml").read_text())["variables"]

    assert (variables["LAMINA_CATALOG"], variables["LAMINA_LOCK"]) == ("zoo", "lamina.lock.json")
    ran = lamina("ci", "gitlab", *ZOO, *REGISTRY, "--to", "elsewhere")
    assert (ran.code, ran.err) == (
        2,
        f"--catalog: {zoo}/zoo is not in the repository\n"
        "  run this at its root: what the pipeline needs has to be in it\n",
    )


@pytest.mark.usefixtures("trusted")
def test_jobs_share_through_a_cache_of_the_registry_that_is_not_published_to(
    lamina: Lamina, zoo: Path
) -> None:
    environment = yaml.safe_load(lamina("ci", "github", *ZOO, *REGISTRY, *GROUPS).out)["env"]

    assert environment["LAMINA_CACHE"] == "registry.example.org/cache"
    assert environment["LAMINA_REGISTRY_HOST"] == "registry.example.org"


@pytest.mark.usefixtures("trusted")
def test_the_command_in_a_pipeline_makes_it(lamina: Lamina, zoo: Path) -> None:
    lamina("ci", "github", *ZOO, *REGISTRY, *GROUPS, "--to", ".")
    text = (zoo / FILES["github"][0]).read_text()
    made = re.match(r"# Made by `lamina (.*)`\.", text)
    assert made

    (zoo / FILES["github"][0]).unlink()
    assert lamina(*made[1].split()).code == 0

    assert (zoo / FILES["github"][0]).read_text() == text
