"""What other images bring: wrappers that heed a stop, checks, and small preparations."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.contract.conftest import Container
from tests.contract.extension import FILES, Extension, extension

pytestmark = pytest.mark.real

FOLDERS = {
    "ceph/kolla_extend_start": "/var/log/kolla/ceph",
    "etcd/kolla_extend_start": "/var/log/kolla/etcd",
    "hacluster/kolla_extend_start": "/var/log/kolla/hacluster",
    "libvirt/kolla_extend_start": "/var/log/kolla/libvirt",
    "mariadb/base_extend_start": "/var/log/kolla/mariadb",
    "openvswitch/kolla_extend_start": "/var/log/kolla/openvswitch",
    "ovn/kolla_extend_start": "/var/log/kolla/openvswitch",
    "prometheus/kolla_extend_start": "/var/log/kolla/prometheus",
    "redis/kolla_extend_start": "/var/log/kolla/redis",
}


@pytest.mark.parametrize("source", FOLDERS)
def test_a_service_finds_its_folder_of_logs_at_every_start(
    source: str, container: Container
) -> None:
    extended = extension(container, source)
    for _ in range(2):
        extended.start("service --all", environment={})
        assert extended.calls[-1] == "service --all"
        assert container.path(FOLDERS[source]).is_dir()


def test_chrony_writes_its_logs_as_its_own_user(container: Container) -> None:
    extended = extension(container, "chrony/kolla_extend_start")
    extended.program("install")
    stale = [container.put(path) for path in ("/run/chronyd.pid", "/run/chrony/chronyd.pid")]

    extended.start(environment={})

    assert extended.calls == [
        "install -d -o chrony -g kolla -m 2775 /var/log/kolla/chrony",
        "service",
    ]
    assert [path.exists() for path in stale] == [False, False]
    container.folder("/var/log/kolla/chrony")
    extended.start(environment={})
    assert extended.calls == ["service"]


def test_keepalived_forgets_the_processes_of_an_earlier_start(container: Container) -> None:
    extended = extension(container, "keepalived/kolla_extend_start")
    names = ("keepalived", "keepalived_vrrp", "keepalived_checkers", "other")
    files = [container.put(f"/run/{name}.pid") for name in names]

    extended.start(environment={})

    assert [file.exists() for file in files] == [False, False, False, True]


def checked(container: Container) -> tuple[int, str]:
    container.put("/check_alive.sh", (FILES / "keepalived/check_alive.sh").read_text(), mode=0o755)
    done = container.run("/check_alive.sh", code=None)
    return done.returncode, done.stdout


def test_a_host_can_serve_when_every_check_says_so(container: Container) -> None:
    assert checked(container) == (0, "")
    container.folder("/checks")
    assert checked(container) == (0, "")
    container.put("/checks/a", "#!/bin/sh\n", mode=0o755)
    container.folder("/checks/folder")
    assert checked(container) == (0, "")
    container.put("/checks/b c", "#!/bin/sh\nexit 3\n", mode=0o755)
    container.put("/checks/d", "#!/bin/sh\n")
    assert checked(container) == (1, "/checks/b c failed\n/checks/d failed\n")


def test_an_initiator_gets_its_name_once(container: Container) -> None:
    extended = extension(container, "iscsi/kolla_extend_start")
    extended.program("iscsi-iname", "echo iqn.proof:$RANDOM$RANDOM")
    file = container.put("/etc/iscsi/initiatorname.iscsi", "")

    extended.start(environment={})
    name = file.read_text()
    extended.start(environment={})

    assert name.startswith("InitiatorName=iqn.proof:")
    assert file.read_text() == name
    assert extended.calls == ["service"]


@pytest.mark.parametrize(
    ("schedule", "there"),
    [("hourly", "hourly"), ("daily", "daily"), ("", "daily"), ("d", "daily"), ("never", "daily")],
)
def test_logs_are_rotated_as_often_as_the_deployment_says(
    schedule: str, there: str, container: Container
) -> None:
    extended = extension(container, "cron/kolla_extend_start")
    for name in ("d", "hourly", "daily", "weekly", "monthly"):
        container.folder(f"/etc/cron.{name}")
    container.put("/etc/cron.daily/logrotate", "rotate")
    variables = {"KOLLA_LOGROTATE_SCHEDULE": schedule} if schedule else {}

    for _ in range(2):
        extended.start(environment=variables)
        found = [path.parent.name for path in container.path("/etc").glob("cron.*/logrotate")]
        assert found == [f"cron.{there}"]


@pytest.fixture
def database(container: Container) -> Extension:
    extended = extension(container, "openvswitch/db_server_extend_start")
    extended.program("ovsdb-tool", "[[ $1 != needs-conversion ]] || cat /needed\n")
    container.put("/needed", "no\n")
    return extended


def test_a_database_is_made_before_its_first_start(database: Extension) -> None:
    database.start(environment={})
    assert database.calls == ["ovsdb-tool create /var/lib/openvswitch/conf.db", "service"]


@pytest.mark.parametrize(("needed", "converted"), [("no", []), ("yes", ["convert"])])
def test_a_database_is_brought_to_the_format_of_its_server(
    needed: str, converted: list[str], database: Extension
) -> None:
    database.container.put("/var/lib/openvswitch/conf.db", "data")
    database.container.put("/needed", f"{needed}\n")

    database.start(environment={})

    called = [call.split()[1] for call in database.calls[:-1]]
    assert called == ["needs-conversion", *converted]


def test_a_switch_starts_where_the_module_cannot_be_loaded(container: Container) -> None:
    extended = extension(container, "openvswitch/vswitchd_extend_start")
    extended.program("modprobe", "exit 1")

    done = extended.start(environment={})

    assert extended.calls == ["modprobe --quiet openvswitch", "service"]
    assert "cannot load the kernel module openvswitch" in done.stdout


@pytest.mark.parametrize(
    ("variables", "steps"),
    [
        (["KOLLA_BOOTSTRAP"], [""]),
        (["KOLLA_UPGRADE"], [" --expand", " --migrate"]),
        (["KOLLA_FINISH_UPGRADE"], [" --contract"]),
    ],
)
def test_keystones_tables_are_brought_to_its_version(
    variables: list[str], steps: list[str], container: Container
) -> None:
    extended = extension(container, "keystone/kolla_extend_start")
    extended.program("keystone-manage")

    extended.start(environment=dict.fromkeys(variables, ""))
    assert extended.calls == [f"keystone-manage db_sync{step}" for step in steps]

    extended.program("keystone-manage", "exit 4")
    extended.start(environment=dict.fromkeys(variables, ""), code=4)
    assert len(extended.calls) == 1


def stopped(
    folder: Path, wrapper: str, daemon: str, *, signal_: signal.Signals = signal.SIGTERM
) -> tuple[int, str]:
    """Run a wrapper with a daemon, stop it, and return how it ended and what was noted."""
    notes = folder / "notes"
    notes.touch()
    program = folder / "daemon"
    program.write_text(f'#!/bin/bash\necho up >> "{notes}"\n{daemon}')
    program.chmod(0o755)
    process = subprocess.Popen(
        ["bash", str(FILES / wrapper), str(program)],
        env={"PATH": f"{folder}:/usr/bin:/bin", "OVS_RUNDIR": str(folder), "NOTES": str(notes)},
    )
    try:
        deadline = time.monotonic() + 20
        while "up" not in notes.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal_)
        return process.wait(timeout=20), notes.read_text()
    finally:
        process.kill()


def tool(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f'#!/bin/bash\necho "{name} $*" >> "$NOTES"\n{body}')
    (folder / name).chmod(0o755)


# It ends when it is asked to, by what stands for its control socket.
ASKED = "until [[ -e {folder}/exit ]]; do sleep 0.05; done; sleep 0.3; exit 6\n"


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGQUIT])
def test_a_daemon_of_open_vswitch_is_asked_to_exit(signal_: signal.Signals, tmp_path: Path) -> None:
    tool(tmp_path, "ovs-appctl", f"touch {tmp_path}/exit")

    code, noted = stopped(
        tmp_path, "openvswitch/ovs_wrapper", ASKED.format(folder=tmp_path), signal_=signal_
    )

    assert code == 6, "the wrapper has waited for its daemon"
    assert f"ovs-appctl --timeout=1 --target={tmp_path}/daemon." in noted


def test_a_daemon_of_open_vswitch_that_does_not_listen_is_ended(tmp_path: Path) -> None:
    tool(tmp_path, "ovs-appctl", "exit 1")

    code, _ = stopped(tmp_path, "openvswitch/ovs_wrapper", "exec sleep 60")

    assert code == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("wrapper", "signal_", "code"),
    [
        ("openvswitch/ovs_wrapper", "TERM", 128 + signal.SIGTERM),
        ("openvswitch/ovs_wrapper", "QUIT", 128 + signal.SIGTERM),
        ("iscsi/tgtd_wrapper", "TERM", 0),
        ("iscsi/tgtd_wrapper", "INT", 0),
    ],
)
def test_a_wrapper_hears_a_signal_that_comes_as_its_daemon_starts(
    wrapper: str, signal_: str, code: int, tmp_path: Path
) -> None:
    for name in ("ovs-appctl", "tgtadm"):
        tool(tmp_path, name, "exit 1")
    daemon = tmp_path / "daemon"
    daemon.write_text(f"#!/bin/sh\nkill -s {signal_} $PPID\nexec sleep 60\n")
    daemon.chmod(0o755)
    # Whatever the wrapper does after it has started the daemon comes too late.
    (tmp_path / "slow").write_text("trap 'sleep 0.3' DEBUG\n")
    done = subprocess.run(
        ["bash", str(FILES / wrapper), str(daemon)],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "NOTES": str(tmp_path / "notes"),
            "BASH_ENV": str(tmp_path / "slow"),
        },
        timeout=20,
        check=False,
    )
    assert done.returncode == code
    assert (tmp_path / "notes").read_text()


def test_a_daemon_of_open_vswitch_may_end_by_itself(tmp_path: Path) -> None:
    ended = subprocess.run(["bash", str(FILES / "openvswitch/ovs_wrapper"), "sh", "-c", "exit 5"])
    assert ended.returncode == 5


DEAF = 'trap "" TERM INT; until [[ -e {folder}/exit ]]; do sleep 0.05; done; exit 6\n'


@pytest.mark.parametrize("refused", [False, True])
def test_tgtd_is_ended_though_it_is_deaf(refused: bool, tmp_path: Path) -> None:
    tool(tmp_path, "tgtadm", "exit 1" if refused else f"touch {tmp_path}/exit")

    code, noted = stopped(tmp_path, "iscsi/tgtd_wrapper", DEAF.format(folder=tmp_path))

    assert code == 0
    assert noted == "up\ntgtadm --lld iscsi --op delete --mode system\n"


def test_tgtd_is_started_by_what_can_end_it(container: Container) -> None:
    extended = extension(container, "iscsi/tgtd_extend_start")
    extended.program("tgtd_wrapper")

    extended.start("tgtd -d 1 -f", environment={})

    assert extended.calls == ["tgtd_wrapper tgtd -d 1 -f"]
