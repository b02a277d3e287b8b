"""letsencrypt-certificates: what the image letsencrypt-lego does, at its start and later."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import letsencrypt_certificates as program
import pytest

# As a deployment's crontab has it.
ARGUMENTS = (
    *("--external", "--fqdns", "a.test,b.test", "--days", "30", "--port", "8081"),
    *("--mail", "me@a.test", "--acme", "https://acme.test/directory"),
    *("--vips", "192.0.2.1,192.0.2.2", "--haproxies-ssh", "192.0.2.3:2985,[2001:db8::1]:2985"),
)


class Host:
    """Stands for the host's programs: which addresses it has, and what was called."""

    def __init__(self, addresses: str, *, lego: int = 0, names: str = "") -> None:
        self.addresses, self.lego, self.names = addresses, lego, names
        self.calls: list[list[str]] = []

    def run(self, command: Sequence[str], **_how: object) -> SimpleNamespace:
        self.calls.append(list(command))
        status = self.lego if command[0] == "lego" else 0
        shown = {"ip": self.addresses, "openssl": self.names}.get(command[0], "")
        return SimpleNamespace(returncode=status, stdout=shown)

    def called(self, name: str) -> list[list[str]]:
        return [call for call in self.calls if call[0] == name]


HERE = '[{"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}, {"local": "192.0.2.2"}]}, {}]'
ELSEWHERE = '[{"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}, {}]}]'


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the external certificate, which is not there yet."""
    monkeypatch.setattr(program, "_FOLDER", tmp_path)
    return tmp_path / "lego" / "external" / "certificates"


def call(host: Host, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    monkeypatch.setattr(subprocess, "run", host.run)
    return program.main([*ARGUMENTS, *more])


def test_a_host_without_the_virtual_address_does_nothing(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = Host(ELSEWHERE)
    assert call(host, monkeypatch) == 0
    assert host.called("lego") == []
    assert capsys.readouterr().out.endswith(
        "a.test: another host has the virtual address; nothing to do\n"
    )


def test_the_first_time_a_certificate_is_obtained(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(HERE)
    assert call(host, monkeypatch) == 0
    hook = "/usr/bin/sync-and-update-certificate --external --fqdn a.test --haproxies-ssh "
    hook += "192.0.2.3:2985,[2001:db8::1]:2985"
    folder = certificates.parents[2]
    assert host.called("lego") == [
        [
            *("lego", "--email", "me@a.test", "--domains", "a.test", "--domains", "b.test"),
            *("--server", "https://acme.test/directory", "--path", f"{folder}/lego/external"),
            *("--accept-tos", "--pem", "--http", "--http.webroot", f"{folder}/http-01"),
            *("run", "--run-hook", hook),
        ]
    ]
    assert host.calls[-1] == ["chown", "-R", "haproxy:haproxy", f"{folder}/lego"]


def test_later_it_is_renewed_when_few_days_are_left(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.mkdir(parents=True)
    (certificates / "a.test.pem").touch()
    host = Host(HERE, names="X509v3 Subject Alternative Name:\n  DNS:a.test, DNS:b.test\n")
    assert call(host, monkeypatch) == 0
    (command,) = host.called("lego")
    assert "run" not in command
    assert command[command.index("renew") + 1] == "--renew-hook"
    assert command[-2:] == ["--days", "30"]
    assert (certificates / "a.test.pem").exists()


def test_for_a_further_domain_it_is_obtained_anew(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificates.mkdir(parents=True)
    (certificates / "a.test.pem").touch()
    host = Host(HERE, names="DNS:a.test")
    assert call(host, monkeypatch) == 0
    (command,) = host.called("lego")
    assert "run" in command
    assert "obtained anew, for b.test as well" in capsys.readouterr().out
    assert not certificates.exists()


def test_what_belongs_to_another_certificate_is_removed(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.mkdir(parents=True)
    names = ("a.test.pem", "a.test.issuer.crt", "old.test.pem", "a.test2.pem")
    for name in names:
        (certificates / name).touch()
    assert call(Host(HERE, names="DNS:a.test DNS:b.test"), monkeypatch) == 0
    kept = sorted(path.name for path in certificates.iterdir())
    assert kept == ["a.test.issuer.crt", "a.test.pem"]


def test_an_account_elsewhere_and_a_type_of_key_are_passed_on(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(HERE)
    more = ("--eab", "--kid", "me", "--hmac", "c2VjcmV0", "--key-type", "rsa4096")
    assert call(host, monkeypatch, *more) == 0
    command = " ".join(host.called("lego")[0])
    assert " --eab --kid me --hmac c2VjcmV0 run " in command
    assert " --key-type rsa4096 " in command


def test_a_failure_of_lego_is_told(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(HERE, lego=3)
    assert call(host, monkeypatch) == 1
    assert host.calls[-1][0] == "chown"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (ARGUMENTS[1:], "--internal"),
        ((*ARGUMENTS, "--internal"), "not allowed with"),
        ((*ARGUMENTS, "--eab", "--kid", "me"), "--eab needs --kid and --hmac"),
        ((*ARGUMENTS, "--fqdns", ","), "--fqdns names no domain"),
        ((*ARGUMENTS, "--unknown"), "unrecognized arguments"),
    ],
)
def test_what_it_cannot_do_is_refused(
    arguments: tuple[str, ...], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        program.wished(arguments)
    assert caught.value.code == 2
    assert fault in capsys.readouterr().err
