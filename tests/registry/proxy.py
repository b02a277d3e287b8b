"""A proxy before a registry that counts what goes through, and fails as it is told."""

from __future__ import annotations

import http.client
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Literal

from tests.registry.guarded import Guarded
from tests.registry.serving import serving

_CHUNK = 64 * 1024
_HOP = {"connection", "keep-alive", "transfer-encoding"}

Fault = Literal[
    "refuse",  # 503
    "limit",  # 429 with Retry-After
    "hang up",  # before the registry has heard of it
    "cut off",  # within the body, before the registry has all of it
    "lose",  # the registry's answer does not come back
    "no mount",  # a registry that does not mount
    "hang",  # no answer until the proxy ends
]


@dataclass
class Proxy:
    """The running proxy: where it is, what went through, and what goes wrong."""

    address: str = ""
    # Asked with the method and the path of each request.
    fault: Callable[[str, str], Fault | None] = lambda _method, _path: None
    requests: list[tuple[str, str]] = field(default_factory=list)
    received: int = 0  # bytes of blobs that came in, whatever became of them
    retry_after: int = 1  # seconds
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def count(self, method: str, part: str) -> int:
        """Return how many requests of a method had `part` in their path."""
        return sum(one == method and part in path for one, path in self.requests)


def at_random(seed: int, share: float, *faults: Fault) -> Callable[[str, str], Fault | None]:
    """Return what goes wrong with this share of all requests."""
    dice = random.Random(seed)

    def fault(_method: str, _path: str) -> Fault | None:
        return dice.choice(faults) if dice.random() < share else None

    return fault


@contextmanager
def running_proxy(guarded: Guarded) -> Iterator[Proxy]:
    """Give a proxy that speaks TLS on both sides, and let the registry's password be its own."""
    proxy = Proxy()

    class Handler(_Handler):
        there = guarded
        here = proxy

    with serving(Handler, guarded.certificate, guarded.key) as address:
        proxy.address = address
        guarded.log_in(address)
        try:
            yield proxy
        finally:
            proxy.ended.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    there: Guarded
    here: Proxy

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    def _pass(self) -> None:
        with self.here.lock:
            self.here.requests.append((self.command, self.path))
            fault = self.here.fault(self.command, self.path)
        if fault == "no mount":
            self.path = self.path.partition("?")[0]
        elif fault in ("refuse", "limit", "hang up", "hang"):
            self._fail(fault)
            return
        connection = http.client.HTTPSConnection(
            self.there.address,
            context=ssl.create_default_context(cafile=str(self.there.certificate)),
        )
        try:
            self._forward(connection, fault)
        finally:
            connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815

    def _fail(self, fault: Fault) -> None:
        self.close_connection = True
        if fault == "hang":
            self.here.ended.wait()
        if fault in ("hang up", "hang"):
            return
        self.send_response(503 if fault == "refuse" else 429)
        if fault == "limit":
            self.send_header("Retry-After", str(self.here.retry_after))
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _forward(self, connection: http.client.HTTPSConnection, fault: Fault | None) -> None:
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP:
                connection.putheader(name, value)
        connection.putheader("X-Forwarded-Proto", "https")
        connection.endheaders()
        left = int(self.headers.get("Content-Length", 0))
        if fault == "cut off" and left:
            self._body(connection, left // 2)
            self.close_connection = True
            return
        self._body(connection, left)
        answer = connection.getresponse()
        if fault in ("lose", "cut off"):
            answer.read()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.end_headers()
        while chunk := answer.read(_CHUNK):
            self.wfile.write(chunk)

    def _body(self, connection: http.client.HTTPSConnection, size: int) -> None:
        left = size
        while left and (chunk := self.rfile.read(min(left, _CHUNK))):
            left -= len(chunk)
            if "/blobs/" in self.path:
                with self.here.lock:
                    self.here.received += len(chunk)
            connection.send(chunk)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
