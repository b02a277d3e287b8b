"""Exported images run in podman and docker as the catalogue says, and skopeo reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import Workshop
from tests.whole.conftest import Fleet, manifests
from tests.whole.engines import Engine, run
from tests.whole.trees import Tree, difference, tree_in, tree_of

pytestmark = pytest.mark.real

OVERLAY = """
images:
  witness:
    parent: cron
    user: redis
    run_as: redis
    environment: {COLOUR: "green and blue"}
    entrypoint: [dumb-init, --]
    command: [sh, -c, 'echo "$COLOUR" as $(id -un)']
    volumes: [/var/lib/witness]
    ports: [6379/tcp]
    labels: {name: witness, org.example.note: "a: b"}
    stop_signal: SIGQUIT
    working_dir: /srv
    healthcheck: {command: [test, -d, /srv], interval: 7, timeout: 6, retries: 5, start_period: 4}
"""
NANOSECONDS = 10**9
# Everything that a layer must carry from the build to where the image runs.
ODDITIES = r"""
images:
  oddities:
    parent: cron
    packages: [libcap2-bin]
    steps:
      - install -m 0755 /bin/true /srv/able; setcap cap_net_raw=ep /srv/able
      - install -m 4750 -o kolla -g kolla /bin/true /srv/trusted
      - echo one > /srv/one; ln /srv/one /srv/two; ln -s one /srv/three; ln -s /gone /srv/four
      - mkfifo -m 0600 /srv/fifo
      - mkdir -m 2775 /srv/shared; chgrp kolla /srv/shared; mkdir -m 0700 /srv/shut
      - touch "/srv/a b" "$(printf '/srv/line\nbreak')" "$(printf '/srv/\377')" /srv/wh.not
      - rm -r /etc/cron.daily; mkdir /etc/cron.daily; echo new > /etc/cron.daily/new
      - rm /etc/debian_version; rm -r /usr/share/perl5; ln -s perl /usr/share/perl5
      - rm /usr/bin/crontab; mkdir /usr/bin/crontab; touch /usr/bin/crontab/within
      - echo more >> /etc/crontab; chmod 0600 /etc/fstab || touch /etc/fstab
"""


def exported(fleet: Fleet, engine: Engine, image: str) -> str:
    reference = f"localhost/{image}:proof"
    told = fleet.lamina(
        "export", image, "--to", f"{engine.transport}{reference}", environment=engine.environment
    )
    assert told.stdout == f"{image} -> {engine.transport}{reference}\n"
    return reference


def test_an_engine_runs_the_program_as_the_images_user(fleet: Fleet, engine: Engine) -> None:
    redis = exported(fleet, engine, "redis")

    assert engine.run(redis, "redis-server", "--version").startswith("Redis server v=")
    assert engine.run(redis, "id", "-un") == "redis\n"
    assert engine.run(redis, "cat", "/proc/1/comm") == "dumb-init\n"


def test_an_engine_sees_the_configuration_of_the_catalogue(fleet: Fleet, engine: Engine) -> None:
    fleet.write(OVERLAY)
    fleet.lamina("lock")
    fleet.build("witness")
    witness = exported(fleet, engine, "witness")

    config = engine.inspect(witness)["Config"]

    assert config["User"] == "redis"
    assert "COLOUR=green and blue" in config["Env"]
    assert "LANG=C.UTF-8" in config["Env"]
    assert config["Entrypoint"] == ["dumb-init", "--"]
    assert config["Cmd"][:2] == ["sh", "-c"]
    assert config["Volumes"] == {"/var/lib/witness": {}}
    assert config["ExposedPorts"] == {"6379/tcp": {}}
    assert config["Labels"].items() >= {"name": "witness", "org.example.note": "a: b"}.items()
    assert config["StopSignal"] == "SIGQUIT"
    assert config["WorkingDir"] == "/srv"
    if engine.program == ("docker",):  # podman reads it in images of docker's own format only
        assert config["Healthcheck"] == {
            "Test": ["CMD", "test", "-d", "/srv"],
            "Interval": 7 * NANOSECONDS,
            "Timeout": 6 * NANOSECONDS,
            "StartPeriod": 4 * NANOSECONDS,
            "Retries": 5,
        }
    assert engine.run(witness) == "green and blue as redis\n"
    assert engine.run(witness, "pwd") == "/srv\n"


def test_images_in_an_engine_share_their_layers(fleet: Fleet, engine: Engine) -> None:
    base, cron = (engine.inspect(exported(fleet, engine, name)) for name in ("base", "cron"))

    below, above = base["RootFS"]["Layers"], cron["RootFS"]["Layers"]
    assert above[: len(below)] == below
    assert len(above) > len(below)


@pytest.fixture
def oddities(fleet: Fleet) -> Fleet:
    fleet.write(ODDITIES)
    fleet.lamina("lock")
    assert fleet.build("oddities")["oddities"] in ("built", "unchanged")
    return fleet


def seen_by_lamina(fleet: Fleet) -> Tree:
    return tree_in(lambda *words: fleet.lamina("run", "oddities", "--", *words).stdout)


def test_an_exported_root_is_what_runs(oddities: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    oddities.lamina("export", "oddities", "--to", f"rootfs:{root}")

    seen = seen_by_lamina(oddities)

    assert difference(seen, tree_of(root)) == {}
    mode, owner, group, *_ = seen["srv/trusted"]
    assert mode == "-rwsr-x---"
    assert owner == group != 0
    assert len(seen["srv/able"]) == 5, "the file's capabilities"
    assert seen["srv/two"] == seen["srv/one"]
    assert seen["srv/two"][-1] == "srv/one"
    assert [path for path in seen if path.startswith("etc/cron.daily/")] == ["etc/cron.daily/new"]
    assert seen["usr/share/perl5"][-1] == "perl"
    assert "etc/debian_version" not in seen
    assert "srv/\\xff" in seen


def test_an_engine_has_the_files_that_lamina_built(oddities: Fleet, engine: Engine) -> None:
    reference = exported(oddities, engine, "oddities")

    there = tree_in(lambda *words: engine.run(reference, *words))

    differing = dict(difference(seen_by_lamina(oddities), there))
    differing.pop("", None)  # podman gives every root directory mode 0555
    assert differing == {}


def test_docker_that_does_not_listen_is_a_fault_of_the_network(
    built: Workshop, tmp_path: Path
) -> None:
    host = f"unix://{tmp_path}/nobody.sock"

    told = built.lamina(
        "export",
        *("cron", "--to", "docker-daemon:cron:proof"),
        environment={"DOCKER_HOST": host},
        code=4,
    ).stderr

    assert told.startswith("docker-daemon:cron:proof: ")
    assert "is dockerd running" in told


def test_skopeo_reads_an_exported_layout_and_an_archive(built: Workshop, tmp_path: Path) -> None:
    layout, archive = f"oci:{tmp_path}/layout", f"oci-archive:{tmp_path}/redis.tar"
    built.lamina("export", "redis-base+", "--to", layout)
    built.lamina("export", "redis", "--to", archive)
    known = manifests(json.loads(built.lamina("list", "--json").stdout))

    for image in ("redis-base", "redis", "redis-sentinel"):
        inspected = json.loads(run(["skopeo", "inspect", f"{layout}:debian-{image}:latest"]))
        assert inspected["Digest"] == known[image]
    inspected = json.loads(run(["skopeo", "inspect", f"{archive}:debian-redis:latest"]))
    assert inspected["Digest"] == known["redis"]
    assert inspected["Architecture"] == "amd64"
