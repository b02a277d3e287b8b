"""RabbitMQ's start: its nodes' secret, its logs, and a server that hears of the stop."""

from __future__ import annotations

import pytest
from tests.contract.conftest import Container
from tests.contract.extension import Extension, extension

pytestmark = pytest.mark.real

COOKIE = "/var/lib/rabbitmq/.erlang.cookie"
BOOTSTRAP = {"KOLLA_BOOTSTRAP": "", "RABBITMQ_CLUSTER_COOKIE": "a secret\\n"}


@pytest.fixture
def broker(container: Container) -> Extension:
    container.folder("/var/lib/rabbitmq")
    return extension(container, "rabbitmq/kolla_extend_start")


def test_a_bootstrap_keeps_the_secret_and_ends(broker: Extension) -> None:
    done = broker.start(environment=BOOTSTRAP)

    assert broker.container.path(COOKIE).read_text() == "a secret\\n"
    assert broker.container.state(COOKIE) == (0, 0, 0o400)
    assert broker.calls == []
    assert "a secret" not in done.stdout + done.stderr


def test_a_bootstrap_replaces_a_secret_that_cannot_be_written_to(broker: Extension) -> None:
    broker.container.put(COOKIE, "old", mode=0o400)
    broker.container.link(f"{COOKIE}.old", ".erlang.cookie")

    broker.start(environment=BOOTSTRAP)

    assert broker.container.path(COOKIE).read_text() == "a secret\\n"
    assert [file.name for file in sorted(broker.container.path(COOKIE).parent.iterdir())] == [
        ".erlang.cookie",
        ".erlang.cookie.old",
    ]


@pytest.mark.parametrize("cookie", [{}, {"RABBITMQ_CLUSTER_COOKIE": ""}])
def test_a_bootstrap_without_a_secret_changes_nothing(
    cookie: dict[str, str], broker: Extension
) -> None:
    broker.container.put(COOKIE, "old", mode=0o400)

    done = broker.start(environment={"KOLLA_BOOTSTRAP": "", **cookie}, code=1)

    assert "RABBITMQ_CLUSTER_COOKIE is required" in done.stderr
    assert broker.container.path(COOKIE).read_text() == "old"


@pytest.mark.parametrize(
    ("variables", "folder"),
    [({}, "/var/log/kolla/rabbitmq"), ({"RABBITMQ_LOG_DIR": "/var/log/kolla/other"}, None)],
)
def test_a_server_finds_its_folder_of_logs(
    variables: dict[str, str], folder: str | None, broker: Extension
) -> None:
    broker.start(environment=variables)

    assert broker.container.path(folder or variables["RABBITMQ_LOG_DIR"]).is_dir()
    assert broker.calls == ["service"]


@pytest.mark.parametrize("command", ["/usr/sbin/rabbitmq-server", "rabbitmq-server"])
@pytest.mark.parametrize("words", ["", " -a b"])
def test_the_server_itself_hears_of_the_stop(command: str, words: str, broker: Extension) -> None:
    # This machine has no such program; what counts is which one is called.
    done = broker.start(command + words, environment={}, code=127)

    assert done.stdout == f"kolla_start: /usr/lib/rabbitmq/bin/rabbitmq-server{words}\n"


def test_another_program_is_called_as_it_is(broker: Extension) -> None:
    broker.program("rabbitmq-server-wait")
    broker.start("rabbitmq-server-wait -a", environment={})
    assert broker.calls == ["rabbitmq-server-wait -a"]
