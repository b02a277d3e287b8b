"""What cannot be had is refused, with a message that helps and the exit code of who must act."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Workshop
from tests.whole.conftest import Fleet

pytestmark = pytest.mark.real

UNBUILDABLE = """
images:
  zoo:
    parent: cron
    distros: {debian: no animals}
  monkey:
    parent: zoo
"""


@pytest.fixture
def overlaid(built: Workshop, tmp_path: Path) -> Fleet:
    """The built fleet, for what changes nothing in it."""
    return Fleet(workshop=built, catalog=tmp_path / "mine")


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        (
            "debian-source-cron",
            "'cron' is an infra image, and has no type in its name",
            "say 'debian-cron'",
        ),
        (
            "debian-source-ceph-mon",
            "'ceph-mon' is an infra image, and has no type in its name",
            "say 'debian-ceph-mon'",
        ),
        (
            "debian-infra-openstack-base",
            "'openstack-base' is no infra image",
            "say 'debian-binary-openstack-base' or 'debian-source-openstack-base'",
        ),
        ("centos-cron", "an image of centos, but the distribution is debian-13", "'debian-cron'"),
        ("memcache", "no image 'memcache' in the catalogue", "did you mean 'memcached'?"),
        ("kind:infras", "no image of the kind 'infras'", "did you mean 'infra'?"),
        ("@edge", "no profile 'edge'", "lamina.toml"),
    ],
)
def test_a_wrong_name_says_which_one_is_right(
    built: Workshop, name: str, message: str, remedy: str
) -> None:
    told = built.lamina("build", name, code=2)

    assert told.stdout == ""
    first, second = told.stderr.splitlines()
    assert first == f"{name}: {message}"
    assert remedy in second


@pytest.mark.parametrize(
    "command", ["list", "tree", "graph", "plan", "build", "test", "run", "storage"]
)
def test_every_command_refuses_a_wrong_name_in_the_same_words(
    built: Workshop, command: str
) -> None:
    behind = ["--", "true"] if command == "run" else []

    told = built.lamina(command, "memcache", *behind, code=2)

    assert told.stderr == (
        "memcache: no image 'memcache' in the catalogue\n  did you mean 'memcached'?\n"
    )


def test_infra_before_an_openstack_image_is_refused(overlaid: Fleet) -> None:
    overlaid.write(
        "images: {nova-compute: {parent: openstack-base, types: [source]}}",
        to="openstack/nova.yaml",
    )

    told = overlaid.lamina("build", "debian-infra-nova-compute", code=2).stderr

    assert told == (
        "debian-infra-nova-compute: 'nova-compute' is no infra image\n"
        "  say 'debian-source-nova-compute'\n"
    )


def test_an_infra_image_below_an_openstack_one_is_refused(overlaid: Fleet) -> None:
    overlaid.write("images:\n  exporter:\n    parent: openstack-base\n")

    told = overlaid.lamina("build", code=2).stderr

    assert told.splitlines() == [
        "mine/infra/mine.yaml:3: the infra image 'exporter' is below the openstack "
        "image 'openstack-base'",
        "  give it an infra image as parent, or say 'kind: openstack'",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("zoo", "no animals"), ("debian-monkey", "its parent 'zoo' cannot be built: no animals")],
)
def test_an_image_that_cannot_be_built_says_so_when_it_is_named(
    overlaid: Fleet, name: str, reason: str
) -> None:
    overlaid.write(UNBUILDABLE)

    told = overlaid.lamina("build", name, code=1).stderr

    assert told.startswith(
        f"{name.removeprefix('debian-')}: cannot be built for debian-13: {reason}\n"
    )
    assert overlaid.json("build", "cron", name, code=1)["error"]["code"] == 1


def test_what_cannot_be_built_is_left_out_of_a_wider_selection(overlaid: Fleet) -> None:
    overlaid.write(UNBUILDABLE)

    assert overlaid.build("cron+") == {
        "base": "unchanged",
        "cron": "unchanged",
        "zoo": "blocked",
        "monkey": "blocked",
    }
    assert [entry["name"] for entry in overlaid.json("list", "--unbuildable", "cron+")] == [
        "monkey",
        "zoo",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build", "--jobs", "0", "cron"], "--jobs"),
        (["build", "--joobs", "2"], "did you mean '--jobs'?"),
        (["biuld"], "did you mean 'build'?"),
        (["list", "--catalog", "nowhere"], "nowhere"),
        (["plan", "--lock", "nowhere.json"], "nowhere.json"),
        (["run", "cron"], "`lamina run cron -- COMMAND`"),
        (["run", "haproxy", "--", "true"], "`lamina build haproxy`"),
        (["export", "cron", "--to", "cron.tar"], "TRANSPORT:PLACE"),
        (["export", "cron", "base", "--to", "rootfs:new"], "2 images do not fit"),
        (["export", "cron", "--to", "rootfs:."], "the folder is not empty"),
        (["list", "--distro", "debian-7"], "debian-7"),
    ],
)
def test_wrong_usage_says_what_is_right(built: Workshop, words: list[str], message: str) -> None:
    told = built.lamina(*words, code=2)

    assert message in told.stderr
    assert "Traceback" not in told.stderr
