from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from lamina.build.service import service_trial
from lamina.build.trial import Trial
from lamina.engine.sandbox import Call, End, Look
from lamina.model.image import Image, ImageId, Kind, Runtime, ServiceTest

RUNTIME = Runtime(
    user="memcached:kolla",
    entrypoint=("dumb-init", "--"),
    command=("kolla_start",),
    working_dir="/srv",
)
TEST = ServiceTest(
    config='{"command": "memcached"}\n',
    command="memcached",
    healthcheck=("healthcheck_listen", "memcached", "11211"),
)
VARIABLES = {"PATH": "/usr/bin", "COLOUR": "green"}


def trial(folder: Path, test: ServiceTest = TEST, runtime: Runtime = RUNTIME) -> Trial:
    image = Image(
        id=ImageId("memcached"),
        kind=Kind.INFRA,
        family="memcached",
        parent=None,
        runtime=runtime,
        tests=(test,),
    )
    return service_trial(image, test, VARIABLES, folder / "config_files")


def call(made: Trial, phase: str) -> Call:
    found = [step for at, step in made.steps if at == phase and isinstance(step, Call)]
    assert len(found) == 1
    return found[0]


def test_a_service_is_started_as_a_deployment_starts_it(tmp_path: Path) -> None:
    made = trial(tmp_path)
    assert [phase for phase, _ in made.steps] == ["start", "start", "health check", "user", "stop"]
    start = call(made, "start")
    assert start.argv == ("dumb-init", "--", "kolla_start")
    assert (start.user, start.cwd, start.way) == ("memcached", "/srv", "background")
    assert start.environment == {**VARIABLES, "KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"}
    check = call(made, "health check")
    assert check.argv == TEST.healthcheck
    assert (check.user, check.retry, check.timeout) == ("memcached", True, 60)
    assert check.beside == start.service != ""


def test_all_that_a_test_may_say_is_done(tmp_path: Path) -> None:
    test = replace(
        TEST,
        prepare=("ip", "link"),
        bootstrap={"KOLLA_BOOTSTRAP": ""},
        environment={"COLOUR": "red", "KOLLA_CONFIG_STRATEGY": "COPY_ONCE"},
        run=("ask",),
        stdout="yes",
        exit=2,
        user="root",
        loopback=True,
        timeout=9,
    )
    made = trial(tmp_path, test)
    assert made.loopback
    phases = list(dict.fromkeys(phase for phase, _ in made.steps))
    assert phases == ["prepare", "bootstrap", "start", "health check", "user", "run", "stop"]
    prepare, bootstrap, start, run = (
        call(made, phase) for phase in ("prepare", "bootstrap", "start", "run")
    )
    assert (prepare.argv, prepare.user, prepare.lasting) == (("ip", "link"), "root", True)
    assert start.environment["COLOUR"] == "red"
    assert start.environment["KOLLA_CONFIG_STRATEGY"] == "COPY_ONCE"
    assert bootstrap.environment == {**start.environment, "KOLLA_BOOTSTRAP": ""}
    assert (bootstrap.argv, bootstrap.user, bootstrap.way) == (start.argv, "memcached", "wait")
    assert bootstrap.service not in ("", start.service)
    assert (run.argv, run.user, run.stdout, run.exit) == (("ask",), "root", "yes", 2)
    assert (run.retry, run.beside) == (True, start.service)
    assert {step.timeout for step in (prepare, bootstrap, run)} == {9}


@pytest.mark.parametrize(
    ("user", "runs_as", "wanted", "rootless"),
    [
        ("memcached", "", "memcached", True),
        ("memcached:kolla", "", "memcached", True),
        ("memcached", "nobody", "nobody", True),
        ("", "", "root", False),
        ("root", "", "root", False),
        ("0", "chrony", "chrony", False),
    ],
)
def test_no_process_may_be_roots_where_the_image_is_not(
    user: str, runs_as: str, wanted: str, tmp_path: Path, *, rootless: bool
) -> None:
    made = trial(tmp_path, replace(TEST, runs_as=runs_as), replace(RUNTIME, user=user))
    begun, looked = (step for _, step in made.steps if isinstance(step, Look))
    assert (begun.user, begun.rootless, begun.timeout) == ("", False, 60)
    assert (looked.user, looked.rootless) == (wanted, rootless)
    # What holds the service and what leads to it are not the service.
    assert {step.init for step in (begun, looked)} == {"dumb-init"}
    assert {step.prelude for step in (begun, looked)} == {"kolla_start"}


@pytest.mark.parametrize(("name", "number"), [("", 15), ("SIGUSR1", 10), ("SIGRTMIN+3", 37)])
def test_a_service_is_stopped_by_the_images_signal(name: str, number: int, tmp_path: Path) -> None:
    made = trial(tmp_path, replace(TEST, stop=4), replace(RUNTIME, stop_signal=name))
    end = made.steps[-1][1]
    assert isinstance(end, End)
    assert (end.signal, end.timeout) == (number, 4)


def test_what_is_mounted_is_for_all_to_read_and_for_root_to_change(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        (bind,) = trial(tmp_path, replace(TEST, files={"grüße.conf": "é\n"})).binds
    finally:
        os.umask(before)
    assert bind.target == "/var/lib/kolla/config_files"
    assert bind.read_only
    assert stat.S_IMODE(bind.source.stat().st_mode) == 0o755
    content = {path.name: path.read_text(encoding="utf-8") for path in bind.source.iterdir()}
    assert content == {"config.json": TEST.config, "grüße.conf": "é\n"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in bind.source.iterdir()} == {0o644}


def test_every_phase_has_a_title_in_the_log(tmp_path: Path) -> None:
    test = replace(TEST, prepare=("ip",), bootstrap={"A": ""}, run=("ask", "it"))
    titles = [step.title for _, step in trial(tmp_path, test).steps if step.title]
    assert titles == [
        "prepare: ip",
        "bootstrap: dumb-init -- kolla_start",
        "start: dumb-init -- kolla_start",
        "health check: healthcheck_listen memcached 11211",
        "user: memcached",
        "run: ask it",
        "stop: SIGTERM",
    ]
