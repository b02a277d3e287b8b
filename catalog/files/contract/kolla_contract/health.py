"""Whether a service is healthy: five checks, each of which says why in one line.

Exit status: 0 healthy, 1 not, 2 called in a wrong way.
"""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kolla_contract.processes import Connection, connections, processes, unix_sockets

_TIMEOUT = 10  # seconds, of each step of a request


class UsageError(ValueError):
    """An argument is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found."""

    healthy: bool
    reason: str


def main(check: Callable[..., Finding], arguments: Sequence[str], usage: str) -> int:
    """Print what `check` finds for `arguments`, one for each word of `usage`; return the status."""
    program, *words = usage.split()
    try:
        if len(arguments) != len(words):
            raise UsageError(f"usage: {usage}")
        finding = check(*arguments)
    except UsageError as error:
        print(f"{program}: {error}")
        return 2
    print(f"{program}: {_printable(finding.reason)}")
    return 0 if finding.healthy else 1


def curl(url: str) -> Finding:
    """Ask for `url`; an answer is healthy unless it is an error.

    The certificate is not verified: it is made for the service's public name, and asked for is an
    address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise UsageError(f"{url!r} is no address of http or https")
    connection = (
        http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        if parts.scheme == "http"
        else http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=_any_certificate())
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "healthcheck"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        return Finding(False, f"{url} does not answer: {error or type(error).__name__}")
    finally:
        connection.close()
    return Finding(status < 400, f"{url} answers {status}")


def port(process: str, number: str) -> Finding:
    """Find a connection, with the port `number` at either end, that `process` has."""
    wanted = _port(number)

    def fits(connection: Connection) -> bool:
        return connection.established and wanted in (connection.local, connection.remote)

    return _connected(process, fits, f"connection at port {wanted}")


def listen(process: str, number: str) -> Finding:
    """Find out whether `process` listens on the port `number`, by TCP or by UDP."""
    wanted = _port(number)

    def fits(connection: Connection) -> bool:
        return connection.listens and connection.local == wanted

    return _connected(process, fits, f"socket that listens on port {wanted}")


def socket(process: str, path: str) -> Finding:
    """Find out whether `process` has the UNIX socket at `path` open."""
    return _open(process, unix_sockets(path), f"socket at {path}")


def filemod(file: str, seconds: str) -> Finding:
    """Find out whether `file` was changed in the last `seconds`."""
    if not (seconds.isascii() and seconds.isdecimal()):
        raise UsageError(f"{seconds!r} is not a number of seconds")
    try:
        age = time.time() - os.stat(file).st_mtime
    except (OSError, ValueError) as error:
        return Finding(False, f"{file}: {getattr(error, 'strerror', None) or error}")
    return Finding(age <= int(seconds), f"{file} was changed {age:.0f} s ago")


def _connected(process: str, fits: Callable[[Connection], bool], what: str) -> Finding:
    fitting = (connection.inode for connection in connections() if fits(connection))
    return _open(process, frozenset(fitting), what)


def _open(process: str, sockets: frozenset[int], what: str) -> Finding:
    """Find one of `sockets` open in a process called `process`."""
    running = list(processes(process))
    if not running:
        return Finding(False, f"no process {process}")
    for one in running:
        if one.sockets & sockets:
            return Finding(True, f"{process} ({one.pid}) has a {what}")
    if not any(one.readable for one in running):
        return Finding(False, f"{process} is another user's, whose sockets cannot be seen")
    return Finding(False, f"{process} has no {what}")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 1 << 16):
        raise UsageError(f"{text!r} is not a port")
    return int(text)


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
