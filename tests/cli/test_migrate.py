"""`lamina migrate`: what a person sees, what a script gets, and what the exit code says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Lamina, values
from tests.migrate.trees import a_tree, bytes_of


@pytest.fixture
def tree(folder: Path) -> Path:
    return a_tree(folder)


def test_a_plan_shows_a_diff_names_and_containers_and_writes_nothing(
    lamina: Lamina, tree: Path
) -> None:
    before = bytes_of(tree)
    ran = lamina("migrate", "plan", "deployment")
    assert ran.code == 0
    assert ran.out.startswith("--- a/ansible/roles/common/defaults/main.yml")
    assert "kolla/centos-mariadb-server:train" in ran.out
    assert "one image for all types, now called libvirt" in ran.out
    assert "a deployment recreates 8 containers: cron, " in ran.out
    assert ran.out.endswith("deployment: 9 references in 7 files would change\n")
    assert bytes_of(tree) == before


def test_applied_checked_and_reverted_it_is_as_before(lamina: Lamina, tree: Path) -> None:
    before = bytes_of(tree)
    planned = values(lamina("migrate", "check", "deployment", "--json"))
    assert lamina("migrate", "apply", "deployment").out.endswith(
        " 9 references in 7 files changed\n"
    )
    assert values(lamina("migrate", "check", "deployment", "--json")) == planned
    assert lamina("migrate", "apply", "deployment").out.endswith(
        " 0 references in 0 files changed\n"
    )
    assert values(lamina("migrate", "revert", "deployment", "--json"))["unchanged"] == []
    assert bytes_of(tree) == before


def test_scripts_get_every_edit_with_its_line_kind_and_reason(lamina: Lamina, tree: Path) -> None:
    told = values(lamina("migrate", "plan", "deployment", "--names", "infra", "--json"))
    edits = {change["path"]: change["edits"] for change in told["changes"]}
    assert edits["doc/backup.rst"] == [
        {
            "line": 3,
            "old": "centos-binary-mariadb",
            "new": "centos-infra-mariadb-server",
            "image": "mariadb-server",
            "kind": "infra",
            "reason": "one image for all types, now called mariadb-server",
        }
    ]
    assert told["undecided"] == []
    assert {one["reason"] for one in told["kept"]} == {
        "not in the catalogue: keeps its name",
        "in a comment",
    }


def test_the_scheme_of_the_last_time_is_kept(lamina: Lamina, tree: Path) -> None:
    lamina("migrate", "apply", "deployment", "--names", "infra")
    assert lamina("migrate", "apply", "deployment").out.endswith(
        " 0 references in 0 files changed\n"
    )
    told = values(lamina("migrate", "check", "deployment", "--json"))
    assert "registry.example.org:5000/kolla/debian-infra-cron:train" in told["references"]
    changed = lamina("migrate", "apply", "deployment", "--names", "split").out
    assert changed.endswith(" 9 references in 7 files changed\n")


def test_the_record_of_a_part_is_no_text_of_the_whole(
    lamina: Lamina, tree: Path, folder: Path
) -> None:
    lamina("migrate", "apply", "deployment")
    assert lamina("migrate", "apply", str(folder)).code == 0
    assert lamina("migrate", "revert", "deployment").code == 0


def test_what_is_undecided_is_listed_and_makes_the_exit_code_1(lamina: Lamina, tree: Path) -> None:
    (tree / "run.sh").write_text('docker run "kolla/${BASE}-${TYPE}-cron"\n')
    ran = lamina("migrate", "apply", "deployment")
    assert ran.code == 1
    assert ran.err.startswith("run.sh:1: '${BASE}-${TYPE}-cron': ")
    assert "1 place could not be decided" in ran.err
    assert ran.out.endswith("deployment: 9 references in 7 files changed\n")
    assert lamina("migrate", "check", "deployment").code == 1


def test_a_check_tells_what_is_not_published(lamina: Lamina, tree: Path, folder: Path) -> None:
    (folder / "digests.json").write_text(json.dumps({"r/debian-cron:train": "r/debian-cron@x"}))
    ran = lamina("migrate", "check", "deployment", "--digests", "digests.json")
    assert ran.code == 1
    assert "debian-redis:train: not published" in ran.err
    assert "debian-cron:train: not published" not in ran.err


def test_variables_that_cannot_be_read_are_refused(
    lamina: Lamina, tree: Path, folder: Path
) -> None:
    (folder / "settings.yml").write_text("openstack_release: [8\n")
    ran = lamina("migrate", "check", "deployment", "--vars", "settings.yml")
    assert ran.code == 2
    assert ran.err.startswith("settings.yml: not a file of variables: it is no YAML in line 2\n")


def test_the_root_of_all_files_is_refused(lamina: Lamina) -> None:
    ran = lamina("migrate", "revert", "/")
    assert ran.code == 2
    assert "nothing can be kept beside it" in ran.err


def test_what_a_file_has_in_it_cannot_control_a_terminal(lamina: Lamina, folder: Path) -> None:
    (folder / "notes").write_bytes(b"\x1b[31m \xff centos-binary-cron\n")
    ran = lamina("migrate", "plan", "notes")
    assert "\x1b" not in ran.out
    assert ran.code == 0
