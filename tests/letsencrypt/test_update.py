"""update-loadbalancer-cert: what the image haproxy-ssh does with a certificate that has come."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import update_loadbalancer_cert as program
from update_loadbalancer_cert import HaproxyError, Places, update

PEM = "-----BEGIN CERTIFICATE-----\nnew\n-----END CERTIFICATE-----\n"


class Haproxy:
    """A socket that answers as HAProxy does, and notes what it was told."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self.answers: Mapping[str, str] = {
            "set": "Transaction created for certificate x!\n",
            "commit": "Committing x.\nSuccess!\n",
            "abort": "Transaction aborted for certificate 'x'!\n",
        }
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                told = connection.recv(100_000).decode()
                self.told.append(told)
                connection.sendall(self.answers[told.split()[0]].encode())

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    used = tmp_path / "used" / "haproxy.pem"
    used.parent.mkdir()
    used.write_text("old")
    incoming = tmp_path / "incoming.pem"
    incoming.write_text(PEM.replace("new\n", "new\n\n"))
    return Places(
        incoming=incoming,
        used=used,
        backups=tmp_path / "backups",
        haproxy=tmp_path / "haproxy.sock",
    )


@pytest.fixture
def haproxy(places: Places) -> Iterator[Haproxy]:
    served = Haproxy(places.haproxy)
    yield served
    served.close()


def test_haproxy_uses_it_at_once_and_at_its_next_start(places: Places, haproxy: Haproxy) -> None:
    update(places)
    # An empty line in it would have ended it.
    assert haproxy.told == [
        f"set ssl cert {places.used} <<\n{PEM}\n",
        f"commit ssl cert {places.used}\n",
    ]
    assert places.used.read_text() == PEM.replace("new\n", "new\n\n")
    assert [path.read_text() for path in places.backups.iterdir()] == ["old"]
    assert not places.incoming.exists()


@pytest.mark.parametrize(
    ("answers", "told"),
    [({"set": "Can't load"}, ["set"]), ({"commit": ""}, ["set", "commit", "abort"])],
)
def test_what_haproxy_refuses_changes_nothing(
    places: Places, haproxy: Haproxy, answers: Mapping[str, str], told: list[str]
) -> None:
    haproxy.answers = {**haproxy.answers, **answers}
    with pytest.raises(HaproxyError, match="HAProxy refused"):
        update(places)
    assert [text.split()[0] for text in haproxy.told] == told
    assert places.used.read_text() == "old"
    assert places.incoming.exists()


@pytest.mark.parametrize(
    ("there", "line"),
    [(False, "no new certificate: "), (True, "not there; is HAProxy running, and its socket")],
)
def test_a_line_says_what_is_missing(
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    there: bool,
    line: str,
) -> None:
    if not there:
        places.incoming.unlink()
    monkeypatch.setattr(program, "places", lambda _which: places)
    assert program.main(["--external"]) == 1
    assert line in capsys.readouterr().out


def test_each_certificate_has_places_of_its_own() -> None:
    internal, external = program.places("internal"), program.places("external")
    assert internal.used == Path("/etc/haproxy/certificates/haproxy-internal.pem")
    assert external.used == Path("/etc/haproxy/certificates/haproxy.pem")
    assert {internal.incoming, external.incoming} == {
        Path("/var/lib/haproxy/haproxy-internal.pem"),
        Path("/var/lib/haproxy/haproxy.pem"),
    }
