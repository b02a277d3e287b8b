#!/usr/bin/python3 -IB
"""Bring a new certificate to every HAProxy, and lego's account and state to the other hosts."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LEGO = Path("/etc/letsencrypt/lego")
_KEY = "/var/lib/letsencrypt/.ssh/id_rsa"
# A container's host keys are made on its first start: nobody can know them.
_OPTIONS = (
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-i", _KEY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Haproxy:
    """Where a HAProxy's image haproxy-ssh listens."""

    host: str  # without brackets
    port: str

    @property
    def remote(self) -> str:
        """The host as rsync takes it."""
        return f"haproxy@[{self.host}]" if ":" in self.host else f"haproxy@{self.host}"


def haproxies(text: str) -> tuple[Haproxy, ...]:
    """Return the HAProxies of `host:port,[host]:port`."""
    split = (part.rpartition(":") for part in text.split(",") if part)
    return tuple(Haproxy(host=host.strip("[]"), port=port) for host, _, port in split)


def commands(haproxy: Haproxy, which: str, certificate: Path, *, here: bool) -> list[list[str]]:
    """Return what brings `certificate` to `haproxy`, in order."""
    name = "haproxy-internal.pem" if which == "internal" else "haproxy.pem"
    shell = " ".join(("ssh", "-p", haproxy.port, *_OPTIONS))
    rsync = ["rsync", "--archive", "--rsh", shell]
    state = [*rsync, "--delete", f"{_LEGO}/", f"{haproxy.remote}:{_LEGO}/"]
    return [
        *([] if here else [state]),
        [*rsync, str(certificate), f"{haproxy.remote}:/var/lib/haproxy/{name}"],
        [
            *("ssh", "-p", haproxy.port, *_OPTIONS, f"haproxy@{haproxy.host}"),
            *("/usr/bin/update-loadbalancer-cert", f"--{which}"),
        ],
    ]


def own_addresses() -> frozenset[str]:
    """Return the addresses of this host."""
    command = ["ip", "-json", "address", "show"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    links = json.loads(shown)
    return frozenset(info.get("local", "") for link in links for info in link.get("addr_info", ()))


def log(level: str, message: str) -> None:
    """Print a line for the log."""
    print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} [{level}] {message}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Return 0 when every HAProxy has the certificate, 1 when one has not."""
    parser = argparse.ArgumentParser(
        prog="sync-and-update-certificate", description=__doc__, allow_abbrev=False
    )
    which = parser.add_mutually_exclusive_group(required=True)
    for name in ("internal", "external"):
        which.add_argument(
            f"-{name[0]}", f"--{name}", dest="which", action="store_const", const=name
        )
    parser.add_argument("-f", "--fqdn", required=True, help="the first domain of the certificate")
    parser.add_argument("-l", "--haproxies-ssh", required=True, help="host:port of each HAProxy")
    given = parser.parse_args(arguments)
    certificate = _LEGO / given.which / "certificates" / f"{given.fqdn}.pem"
    own, failed = own_addresses(), 0
    for haproxy in haproxies(given.haproxies_ssh):
        for command in commands(haproxy, given.which, certificate, here=haproxy.host in own):
            if subprocess.run(command, check=False).returncode:
                log("ERROR", f"{given.fqdn}: {haproxy.host} has it not: {command[0]} failed")
                failed += 1
                break
        else:
            log("INFO", f"{given.fqdn}: {haproxy.host} has the new certificate")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
