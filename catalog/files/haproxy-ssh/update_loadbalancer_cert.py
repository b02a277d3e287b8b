#!/usr/bin/python3 -IB
"""Give a running HAProxy the certificate that has come for it, and keep that for its next start.

Source: HAProxy Management Guide, section 9.3, `set ssl cert` and `commit ssl cert`.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 30  # seconds


class HaproxyError(Exception):
    """HAProxy did not take the certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where certificates come in, are used and are kept."""

    incoming: Path
    used: Path
    backups: Path = Path("/etc/letsencrypt/backups")
    haproxy: Path = Path("/var/lib/kolla/haproxy/haproxy.sock")


def places(which: str) -> Places:
    """Return the places of the `internal` or the `external` certificate."""
    name = "haproxy-internal.pem" if which == "internal" else "haproxy.pem"
    return Places(
        incoming=Path("/var/lib/haproxy", name), used=Path("/etc/haproxy/certificates", name)
    )


def update(where: Places) -> None:
    """Let HAProxy use the incoming certificate at once, then put it in the used one's place.

    Raises `HaproxyError` when HAProxy does not take it; the used one then stays as it is.
    """
    # An empty line would end what is given to HAProxy.
    lines = [line for line in where.incoming.read_text("ascii").splitlines() if line.strip()]
    given = f"set ssl cert {where.used} <<\n" + "\n".join(lines) + "\n"
    _tell(where.haproxy, given, expected="Transaction ")
    try:
        _tell(where.haproxy, f"commit ssl cert {where.used}", expected="Success!")
    except HaproxyError:
        # What is begun and never ended would be in the way of the next certificate.
        _ask(where.haproxy, f"abort ssl cert {where.used}")
        raise
    where.backups.mkdir(parents=True, exist_ok=True)
    if where.used.exists():
        then = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime())
        shutil.copy2(where.used, where.backups / f"{where.used.stem}-{then}.pem")
    # Its directory may be one that only root can change: it is written in place.
    shutil.copyfile(where.incoming, where.used)
    where.incoming.unlink()


def _tell(haproxy: Path, command: str, *, expected: str) -> None:
    answer = _ask(haproxy, command)
    if expected not in answer:
        first = command.partition(" <<")[0]
        raise HaproxyError(f"HAProxy refused '{first}': {answer.strip() or 'no answer'}")


def _ask(haproxy: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT)
        connection.connect(str(haproxy))
        connection.sendall(command.encode() + b"\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer.decode(errors="replace")


def main(arguments: list[str]) -> int:
    """Update one certificate; return 0, or 1 with a line that says why not."""
    parser = argparse.ArgumentParser(prog="update-loadbalancer-cert", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    for name in ("internal", "external"):
        which.add_argument(
            f"-{name[0]}", f"--{name}", dest="which", action="store_const", const=name
        )
    where = places(parser.parse_args(arguments).which)
    try:
        update(where)
    except FileNotFoundError as error:
        if error.filename == str(where.incoming):
            print(f"no new certificate: {where.incoming}")
        else:
            print(f"{where.haproxy}: not there; is HAProxy running, and its socket mounted?")
        return 1
    except (HaproxyError, OSError, UnicodeError) as error:
        print(f"{where.used}: not updated: {error}")
        return 1
    print(f"{where.used}: updated")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
