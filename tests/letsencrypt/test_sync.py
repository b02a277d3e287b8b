"""sync-and-update-certificate: lego's hook, which brings a new certificate to every HAProxy."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import sync_and_update_certificate as program
from sync_and_update_certificate import Haproxy, commands, haproxies

CERTIFICATE = Path("/etc/letsencrypt/lego/external/certificates/a.test.pem")


def test_addresses_of_both_sorts_are_understood() -> None:
    assert haproxies("192.0.2.1:2985,[2001:db8::1]:22,") == (
        Haproxy(host="192.0.2.1", port="2985"),
        Haproxy(host="2001:db8::1", port="22"),
    )
    assert Haproxy(host="2001:db8::1", port="22").remote == "haproxy@[2001:db8::1]"
    assert Haproxy(host="192.0.2.1", port="22").remote == "haproxy@192.0.2.1"


def test_the_host_itself_needs_no_copy_of_its_state() -> None:
    haproxy = Haproxy(host="192.0.2.1", port="2985")
    elsewhere = commands(haproxy, "external", CERTIFICATE, here=False)
    assert elsewhere[1:] == commands(haproxy, "external", CERTIFICATE, here=True)
    assert elsewhere[0][-2:] == [
        "/etc/letsencrypt/lego/",
        "haproxy@192.0.2.1:/etc/letsencrypt/lego/",
    ]
    assert "--delete" in elsewhere[0]
    assert not any("--delete" in command for command in elsewhere[1:])


@pytest.mark.parametrize(
    ("which", "name"), [("external", "haproxy.pem"), ("internal", "haproxy-internal.pem")]
)
def test_the_certificate_comes_first_and_then_its_use(which: str, name: str) -> None:
    haproxy = Haproxy(host="2001:db8::1", port="2985")
    copied, used = commands(haproxy, which, CERTIFICATE, here=True)
    assert copied[0] == "rsync"
    assert copied[-2:] == [str(CERTIFICATE), f"haproxy@[2001:db8::1]:/var/lib/haproxy/{name}"]
    assert used[0] == "ssh"
    assert used[-3:] == [
        *("haproxy@2001:db8::1", "/usr/bin/update-loadbalancer-cert", f"--{which}")
    ]


def test_one_haproxy_that_fails_keeps_no_other_from_its_certificate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def run(command: Sequence[str], **_how: object) -> SimpleNamespace:
        if command[0] == "ip":
            return SimpleNamespace(stdout='[{"addr_info": [{"local": "192.0.2.2"}]}]')
        calls.append(f"{command[0]} {command[-1]}")
        down = any("192.0.2.1" in word for word in command)
        return SimpleNamespace(returncode=255 if down else 0)

    monkeypatch.setattr(subprocess, "run", run)
    arguments = ["--external", "--fqdn", "a.test", "--haproxies-ssh"]
    assert program.main([*arguments, "192.0.2.1:1,192.0.2.2:1"]) == 1
    assert calls == [
        "rsync haproxy@192.0.2.1:/etc/letsencrypt/lego/",
        "rsync haproxy@192.0.2.2:/var/lib/haproxy/haproxy.pem",
        "ssh --external",
    ]
    lines = [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "a.test: 192.0.2.1 has it not: rsync failed",
        "a.test: 192.0.2.2 has the new certificate",
    ]
    assert program.main([*arguments, "192.0.2.2:1"]) == 0
