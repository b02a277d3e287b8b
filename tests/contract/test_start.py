"""kolla_start: the order of a container's start."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from tests.contract.conftest import Container

pytestmark = pytest.mark.real

STRATEGY = {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"}


@pytest.fixture
def started(container: Container) -> Container:
    """A container whose sudo and programs note that they were called."""
    note = '#!/bin/sh\necho "{name} $*"\n'
    container.put("/local/bin/sudo", note.format(name="sudo") + 'shift; exec "$@"\n', mode=0o755)
    container.put("/local/bin/service", note.format(name="service"), mode=0o755)
    container.put("/local/bin/kolla_copy_cacerts", note.format(name="certificates"), mode=0o755)
    command(container, "service --all '*'")
    return container


def command(container: Container, text: str) -> None:
    config = json.dumps({"command": text})
    container.put("/var/lib/kolla/config_files/config.json", config)


def extend(container: Container, script: str) -> None:
    container.put("/local/bin/kolla_extend_start", script, mode=0o755)


def lines(container: Container, environment: Mapping[str, str] = STRATEGY) -> list[str]:
    return container.run("kolla_start", environment=environment).stdout.splitlines()


def test_everything_comes_in_the_order_of_the_contract(started: Container) -> None:
    extend(started, 'echo "extend $CMD"\nARGS="--more"\n')
    assert lines(started) == [
        "sudo -E kolla_set_configs",
        "sudo -E kolla_copy_cacerts",
        "certificates ",
        "extend service --all '*'",
        "kolla_start: service --all '*' --more",
        "service --all '*' --more",
    ]


def test_words_mean_themselves(started: Container) -> None:
    command(started, "service  * ?sr\n$HOME")
    assert lines(started)[-1] == "service * ?sr $HOME"


@pytest.mark.parametrize("value", ["", "true"])
def test_an_extension_can_be_skipped(started: Container, value: str) -> None:
    extend(started, "echo extended\n")
    assert "extended" in lines(started)
    assert "extended" not in lines(started, {**STRATEGY, "KOLLA_SKIP_EXTEND_START": value})


@pytest.mark.parametrize("value", ["", "true"])
def test_an_extension_can_end_a_bootstrap(started: Container, value: str) -> None:
    extend(started, '[[ -z "${KOLLA_BOOTSTRAP+set}" ]] || { echo prepared; exit 0; }\n')
    assert lines(started, {**STRATEGY, "KOLLA_BOOTSTRAP": value})[-1] == "prepared"
    assert lines(started)[-1].startswith("service")


def test_no_command_is_started_when_the_configuration_fails(started: Container) -> None:
    lines(started)
    done = started.run("kolla_start", code=1)
    assert "KOLLA_CONFIG_STRATEGY" in done.stderr
    assert "service" not in done.stdout


def test_a_failing_extension_ends_the_start(started: Container) -> None:
    extend(started, "false\n")
    done = started.run("kolla_start", environment=STRATEGY, code=1)
    assert "service" not in done.stdout


def test_the_command_takes_the_place_of_the_shell(started: Container) -> None:
    started.put("/local/bin/service", "#!/bin/sh\nexit 42\n", mode=0o755)
    started.run("kolla_start", environment=STRATEGY, code=42)
