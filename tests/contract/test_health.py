"""The health checks against real sockets, processes, servers and files."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contract.conftest import Container

from kolla_contract.processes import is_called

pytestmark = pytest.mark.real

_SERVER = """
import os, socket, sys
tcp = socket.create_server(("127.0.0.1", 0))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
unix.listen()
client = socket.create_connection(tcp.getsockname())
served, _ = tcp.accept()
idle = socket.create_server(("127.0.0.1", 0))
ports = [end.getsockname()[1] for end in (tcp, udp, client, idle)]
print(*ports, flush=True)
sys.stdin.read()
"""


def check(container: Container, name: str, *arguments: str, code: int) -> str:
    """Run a health check and return its line."""
    done = container.run(f"healthcheck_{name}", *arguments, code=code)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"healthcheck_{name}: ")
    assert done.stderr == ""
    return line.partition(": ")[2]


@contextmanager
def served(path: Path) -> Iterator[tuple[int, str, str, str, str]]:
    """Run a server with a socket of each sort; give its process id and ports."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        executable=sys.executable,
        text=True,
    ) as process:
        assert process.stdout
        tcp, udp, client, idle = process.stdout.readline().split()
        yield process.pid, tcp, udp, client, idle
        process.communicate()


def test_ports_and_sockets_are_found_by_their_process(container: Container, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    me = Path(sys.executable).name
    with served(Path(path)) as (pid, tcp, udp, client, idle):
        for port in (tcp, udp, idle):
            assert check(container, "listen", me, port, code=0) == (
                f"{me} ({pid}) has a socket that listens on port {port}"
            )
        assert "has no socket that listens" in check(container, "listen", me, client, code=1)
        for port in (tcp, client):
            assert f"has a connection at port {port}" in check(container, "port", me, port, code=0)
        for port in (udp, idle):
            assert "has no connection" in check(container, "port", me, port, code=1)
        assert f"has a socket at {path}" in check(container, "socket", me, path, code=0)
        assert "has no socket" in check(container, "socket", me, "/run/other.sock", code=1)
        assert check(container, "listen", "nobody-here", tcp, code=1) == "no process nobody-here"
        # Another process of that name is there, and has not the port.
        assert check(container, "listen", "sh", tcp, code=1) in ("no process sh", "sh has no "
            f"socket that listens on port {tcp}")  # fmt: skip


def test_another_users_sockets_cannot_be_seen(container: Container, tmp_path: Path) -> None:
    me = Path(sys.executable).name
    with served(tmp_path / "socket") as (_, tcp, *_):
        done = container.run("healthcheck_listen", me, tcp, user=42436, code=1)
        assert done.stdout == (
            f"healthcheck_listen: {me} is another user's, whose sockets cannot be seen\n"
        )


@pytest.mark.parametrize(
    ("name", "comm", "arguments", "called"),
    [
        ("chronyd", "chronyd", ["chronyd", "-d"], True),
        ("chrony", "chronyd", ["chronyd"], False),
        ("neutron-openvswitch-agent", "neutron-openvsw", ["/usr/bin/python3"], True),
        ("neutron-openvsx", "neutron-openvsw", ["x"], False),
        ("nova-api", "python3", ["/usr/bin/python3", "/usr/bin/nova-api", "--x"], True),
        ("nova-api", "python3", ["/usr/bin/python3", "-m", "nova-api"], False),
        ("neutron-server", "neutron-server:", ["neutron-server: api worker (x)"], True),
        ("neutron-server", "x", ["neutron-server: api worker (x)"], True),
        ("bash", "cat", ["cat", "x", "bash"], False),
    ],
)
def test_a_process_is_known_by_its_name_program_or_script(
    name: str, comm: str, arguments: list[str], called: bool
) -> None:
    assert is_called(name, comm, arguments) is called


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert self.headers["User-Agent"] == "healthcheck"
        self.send_response(int(self.path.rpartition("=")[2]))
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


def test_an_address_that_answers_without_error_is_healthy(container: Container) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/health?status="
        for status, code in ((200, 0), (302, 0), (401, 1), (404, 1), (503, 1)):
            assert check(container, "curl", f"{url}{status}", code=code) == (
                f"{url}{status} answers {status}"
            )
        secure = url.replace("http:", "https:")
        assert "does not answer" in check(container, "curl", f"{secure}200", code=1)
        server.shutdown()
    assert "Connection refused" in check(container, "curl", f"{url}200", code=1)


def test_a_file_is_healthy_while_it_is_changed(container: Container) -> None:
    file = container.put("/run/heartbeat")
    assert "was changed" in check(container, "filemod", "/run/heartbeat", "60", code=0)
    os.utime(file, (time.time(), time.time() - 3600))
    told = check(container, "filemod", "/run/heartbeat", "60", code=1)
    assert told.startswith("/run/heartbeat was changed 3600 s ago")
    assert "No such file" in check(container, "filemod", "/run/gone", "60", code=1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("curl", []),
        ("curl", ["ftp://x/"]),
        ("curl", ["127.0.0.1:80"]),
        ("curl", ["http://"]),
        ("curl", ["http://x:99999/"]),
        ("curl", ["http://x/\r\nHost: y"]),
        ("port", ["chronyd"]),
        ("port", ["chronyd", "0"]),
        ("port", ["chronyd", "65536"]),
        ("listen", ["chronyd", "http"]),
        ("listen", ["chronyd", "1", "2"]),
        ("socket", ["chronyd"]),
        ("filemod", ["/run/x", "-1"]),
        ("filemod", ["/run/x", "1h"]),
    ],
)
def test_wrong_use_is_told_apart(container: Container, name: str, arguments: list[str]) -> None:
    assert check(container, name, *arguments, code=2)


def test_a_socket_that_accepts_by_inet6_is_found(container: Container) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = str(server.getsockname()[1])
        name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
        assert f"({os.getpid()})" in check(container, "listen", name, port, code=0)
