"""Every command on a built fleet: what it prints, its JSON, its exit code."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SMALL, Workshop
from tests.whole.conftest import Fleet, manifests

pytestmark = pytest.mark.real

SHOWN = ("base", "chrony", "cron", "memcached", "redis-base", "redis", "redis-sentinel")
IMAGES = (*SHOWN, "source-openstack-base")


def asked(workshop: Workshop, *words: str, code: int = 0) -> Any:
    return json.loads(workshop.lamina(*words, "--json", code=code).stdout)


def test_list_tells_what_each_image_is_and_what_is_built_of_it(built: Workshop) -> None:
    listed = asked(built, "list")

    always = {"name", "kind", "types", "family", "parent", "aliases", "buildable"}
    assert all(always <= set(entry) for entry in listed)
    assert set(manifests(listed)) == set(IMAGES)
    entries = {entry["name"]: entry for entry in listed}
    assert entries["redis"]["kind"] == "infra"
    assert (entries["redis"]["family"], entries["redis"]["parent"]) == ("redis", "redis-base")
    assert (entries["base"]["parent"], entries["base"]["types"]) == (None, [])
    assert entries["openstack-base"]["kind"] == "openstack"
    assert set(entries["openstack-base"]["manifest"]) == {"source"}
    digest = entries["redis"]["manifest"].removeprefix("sha256:")
    assert f"{digest[:12]}\n" in built.lamina("list", "redis").stdout


def test_the_store_is_an_oci_layout_of_the_listed_manifests(built: Workshop) -> None:
    index = json.loads((built.store / "oci" / "index.json").read_text())

    named = {
        manifest["annotations"]["org.opencontainers.image.ref.name"]: manifest["digest"]
        for manifest in index["manifests"]
    }

    digests = manifests(asked(built, "list"))
    assert named == {f"debian-{image}:latest": digest for image, digest in digests.items()}


def test_the_tree_and_the_graph_show_the_same_images(built: Workshop) -> None:
    (tree,) = asked(built, "tree", "family:redis")
    graph = asked(built, "graph", "family:redis")

    (below,) = tree["children"]
    assert (tree["image"], below["image"]) == ("base", "redis-base")
    assert below["children"] == [
        {"image": "redis", "children": []},
        {"image": "redis-sentinel", "children": []},
    ]
    assert [(edge["parent"], edge["child"]) for edge in graph["edges"]] == [
        ("base", "redis-base"),
        ("redis-base", "redis"),
        ("redis-base", "redis-sentinel"),
    ]
    assert built.lamina("tree", "family:redis").stdout.splitlines() == [
        "base",
        "└── redis-base",
        "    ├── redis",
        "    └── redis-sentinel",
    ]
    assert '"redis-base" -> "redis"' in built.lamina("graph", "family:redis").stdout


def test_a_built_fleet_has_nothing_planned(built: Workshop) -> None:
    steps = asked(built, "plan", *SMALL, "--detailed-exitcode")["steps"]

    assert {step["image"] for step in steps} == set(IMAGES)
    assert {(step["action"], *step["reasons"]) for step in steps} == {("keep", "unchanged")}


def test_what_is_not_built_is_planned_as_new(built: Workshop) -> None:
    steps = asked(built, "plan", "family:haproxy", "--detailed-exitcode", code=2)["steps"]

    assert {step["image"]: step["action"] for step in steps} == {"base": "keep", "haproxy": "build"}
    assert steps[1]["reasons"] == ["new"]
    assert "1 to build, 1 unchanged, 0 blocked" in built.lamina("plan", "haproxy").stdout


def test_a_second_build_does_nothing(built: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    index = built.store / "oci" / "index.json"
    before = index.stat()

    begun = time.perf_counter()
    done = built.lamina("build", *SMALL)
    seconds = time.perf_counter() - begun

    with capsys.disabled():
        sys.stdout.write(f"\na build with nothing to do took {seconds:.2f} s\n")
    assert done.stdout == f"{len(IMAGES)} unchanged\n"
    assert index.stat() == before
    # 0.5 s on an idle machine with Python's bytecode at hand.
    assert seconds < 10


def test_the_tests_of_built_images_run_again(built: Workshop) -> None:
    result = asked(built, "test", "cron", "memcached")

    assert result["counts"] == {"tested": 2}
    log = Path(result["images"][0]["log"]).read_text()
    assert "## health check: pgrep -x cron\n" in log
    assert "## stop: SIGTERM\n" in log


def test_the_tests_of_a_kind_are_those_of_what_is_built_of_it(built: Workshop) -> None:
    result = asked(built, "test", "--kind", "openstack")

    assert [one["image"] for one in result["images"]] == ["source-openstack-base"]
    assert result["counts"] == {"tested": 1}


@pytest.mark.parametrize(
    ("command", "output", "code"),
    [
        (["redis-server", "--version"], "Redis server v=", 0),
        (["id", "--user", "--name"], "redis\n", 0),
        (["sh", "-c", "exit 7"], "", 7),
        (["sh", "-c", "kill -TERM $$"], "", 143),
        (["ip", "-o", "link"], "1: lo:", 0),
        (["no-such-command"], "", 127),
    ],
)
def test_a_command_runs_in_an_image_as_in_a_container(
    built: Workshop, command: list[str], output: str, code: int
) -> None:
    done = built.lamina("run", "redis", "--", *command, code=code)

    assert done.stdout.startswith(output)
    assert len(done.stdout.splitlines()) <= 1


def test_what_a_command_writes_in_an_image_is_gone(built: Workshop) -> None:
    script = "test ! -e /var/lib/redis/new && touch /var/lib/redis/new"

    for _ in range(2):
        built.lamina("run", "redis", "--", "sh", "-c", script)


def test_storage_sums_up_what_the_images_share(built: Workshop) -> None:
    report = asked(built, "storage")

    fleet = report["fleet"]
    assert fleet["apparent"] > fleet["unique"] >= fleet["lower_bound"] > 0
    assert fleet["ratio"] == pytest.approx(fleet["unique"] / fleet["lower_bound"], abs=0.001)
    assert {image["image"] for image in report["images"]} == set(IMAGES)
    assert sum(image["apparent"] for image in report["images"]) == fleet["apparent"]
    assert isinstance(report["what_if"], dict)
    assert f"{len(IMAGES)} images" in built.lamina("storage").stdout


def test_the_lock_fits_the_catalogue(built: Workshop) -> None:
    counts = asked(built, "lock", "--check")

    assert counts["images"] >= len(IMAGES)
    assert counts["units"] > 100
    assert "fits the catalogue" in built.lamina("lock", "--check").stdout


def test_a_lock_of_another_catalogue_is_refused_and_mended_by_lock(fleet: Fleet) -> None:
    fleet.write("images: {cron: {change: {packages: {debian: {append: [bc]}}}}}")

    told = fleet.lamina("lock", "--check", code=2).stderr
    assert "the lock does not fit the catalogue" in told
    assert "cron" in told
    assert "`lamina lock`" in told
    fleet.lamina("build", "cron", code=2)
    relocked = fleet.json("lock")

    assert relocked["changed"]
    assert [(one["package"], one["images"]) for one in relocked["packages"]] == [("bc", ["cron"])]
    fleet.lamina("lock", "--check")
    assert fleet.reasons("cron") == {"cron": ["package bc added"]}


def test_an_update_of_the_lock_keeps_it_fitting(fleet: Fleet) -> None:
    relocked = fleet.json("lock", "--update", "cron")

    assert set(relocked) >= {"images", "units", "changed", "packages"}
    fleet.lamina("lock", "--check")


def test_gc_keeps_what_is_current_and_deletes_what_was_replaced(fleet: Fleet) -> None:
    fleet.json("gc")
    before = fleet.manifests()["memcached"].removeprefix("sha256:")
    fleet.write("images: {memcached: {change: {labels: {append: {trial: gc}}}}}")
    assert fleet.build("memcached")["memcached"] == "built"

    planned = fleet.json("gc", "--dry-run")["removed"]
    assert before in {removal["digest"].removeprefix("sha256:") for removal in planned}
    assert fleet.json("gc")["removed"] == planned

    assert not (fleet.workshop.store / "deltas" / before).exists()
    assert fleet.json("gc")["removed"] == []
    assert set(fleet.build(*SMALL).values()) == {"unchanged"}
