"""MariaDB's start: a bootstrap, an upgrade, or a server; and the check of a cluster's node."""

from __future__ import annotations

import subprocess

import pytest
from tests.contract.conftest import Container
from tests.contract.extension import FILES, Extension, extension

pytestmark = pytest.mark.real

PASSWORD = 'it\'s a \\ "proof"; -- %s $HOME'
BOOTSTRAP = {"KOLLA_BOOTSTRAP": "", "DB_ROOT_PASSWORD": PASSWORD}
UPGRADE = {"KOLLA_UPGRADE": "", "DB_HOST": "192.0.2.1", "DB_PORT": "3306"}


@pytest.fixture
def server(container: Container) -> Extension:
    extended = extension(container, "mariadb/server_extend_start")
    extended.program("mariadb-install-db")
    extended.program("mariadbd", "cat > /statements")
    extended.program("mariadb-upgrade", 'echo "$MYSQL_PWD" > /password')
    return extended


def statements(server: Extension) -> list[str]:
    return server.container.path("/statements").read_text().splitlines()


def test_a_bootstrap_makes_the_databases_and_ends(server: Extension) -> None:
    done = server.start(environment=BOOTSTRAP)

    assert server.calls == [
        "mariadb-install-db --skip-test-db --auth-root-authentication-method=normal --wsrep-on=OFF",
        "mariadbd --bootstrap --wsrep-on=OFF",
    ]
    assert done.stdout.splitlines()[-1] == "kolla_extend_start: the databases are made"
    assert server.container.path("/var/log/kolla/mariadb").is_dir()


def test_root_alone_can_log_in_after_a_bootstrap(server: Extension) -> None:
    server.start(environment=BOOTSTRAP)

    quoted = "'it''s a \\ \"proof\"; -- %s $HOME'"
    assert statements(server) == [
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES';",
        "DELETE FROM mysql.global_priv WHERE User IN ('', 'root');",
        "FLUSH PRIVILEGES;",
        f"CREATE USER 'root'@'localhost' IDENTIFIED BY {quoted};",
        "GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION;",
        f"CREATE USER 'root'@'%' IDENTIFIED BY {quoted};",
        "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;",
    ]


@pytest.mark.parametrize("what", [BOOTSTRAP, {**UPGRADE, "DB_ROOT_PASSWORD": PASSWORD}])
def test_the_password_is_in_no_argument_and_in_no_log(
    what: dict[str, str], server: Extension
) -> None:
    done = server.start(environment=what)

    assert server.calls
    assert "proof" not in "".join(server.calls) + done.stdout + done.stderr


@pytest.mark.parametrize("what", ["KOLLA_BOOTSTRAP", "KOLLA_UPGRADE"])
def test_no_password_is_no_password_of_root(what: str, server: Extension) -> None:
    done = server.start(environment={what: ""}, code=1)

    assert done.stderr.splitlines()[-1] == "kolla_extend_start: DB_ROOT_PASSWORD is required"
    assert server.calls == []


@pytest.mark.parametrize("failing", ["mariadb-install-db", "mariadbd"])
def test_a_bootstrap_that_fails_says_so(failing: str, server: Extension) -> None:
    server.program(failing, "cat > /dev/null; exit 7")

    done = server.start(environment=BOOTSTRAP, code=7)

    assert server.calls[-1].startswith(f"{failing} ")
    assert "are made" not in done.stdout


def test_a_bootstrap_has_its_time(server: Extension) -> None:
    server.program("mariadbd", "exec sleep 60")

    server.start(environment={**BOOTSTRAP, "DB_MAX_TIMEOUT": "1"}, code=124)


def test_an_upgrade_is_of_a_server_that_runs(server: Extension) -> None:
    mistaken = server.container.folder("/var/lib/mysql/.pki")

    server.start(environment={**UPGRADE, "DB_ROOT_PASSWORD": PASSWORD})

    assert not mistaken.exists()
    assert server.calls == ["mariadb-upgrade --host=192.0.2.1 --port=3306 --user=root"]
    assert server.container.path("/password").read_text() == f"{PASSWORD}\n"


def test_a_server_has_the_words_of_the_deployment(server: Extension) -> None:
    server.start("service --more", environment={"BOOTSTRAP_ARGS": "--wsrep-new-cluster"})
    assert server.calls == ["service --more --wsrep-new-cluster"]

    server.start("service --more", environment={})
    assert server.calls == ["service --more"]


@pytest.mark.parametrize(
    ("state", "donor", "status"),
    [("4", "", "200"), ("2", "", "503"), ("2", "1", "200"), ("", "", "503")],
)
def test_a_cluster_check_logs_in_as_the_deployment_says(
    state: str, donor: str, status: str, container: Container
) -> None:
    check = extension(container, "mariadb/base_extend_start")
    check.program("mariadb", f'echo "password $MYSQL_PWD" >> /calls; echo "{state}"')
    container.put("/calls")
    container.put("/clustercheck", (FILES / "mariadb/clustercheck").read_text(), mode=0o755)
    variables = {"MYSQL_HOST": "192.0.2.1", "MYSQL_USERNAME": "monitor", "MYSQL_PASSWORD": "proof"}

    done: subprocess.CompletedProcess[str] = container.run(
        "/clustercheck", environment={**variables, "AVAILABLE_WHEN_DONOR": donor}
    )

    assert done.stdout.startswith(f"HTTP/1.1 {status} ")
    call, password = check.calls
    assert "--host=192.0.2.1 --port=3306 --user=monitor" in call
    assert password == "password proof"
