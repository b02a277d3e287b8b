"""A mirror on this machine's loopback that misbehaves as it is told."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Mirror:
    """The running mirror: where it is, what it was asked, and how it answers."""

    url: str = ""
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    answers: dict[str, Callable[[BaseHTTPRequestHandler, int], None]] = field(default_factory=dict)

    def ranges(self) -> list[str]:
        return [headers.get("Range", "") for _, headers in self.requests]


@contextmanager
def running_mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    turns: dict[str, int] = defaultdict(int)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            mirror.requests.append((self.path, dict(self.headers)))
            turns[self.path] += 1
            mirror.answers[self.path](self, turns[self.path])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status(handler: BaseHTTPRequestHandler, code: int) -> None:
    handler.send_response(code)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def whole(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    """Send all of it, whatever range was asked for."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def ranged(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    """Send what was asked for, as a good mirror does."""
    start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    if not start:
        whole(handler, content)
        return
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    handler.wfile.write(content[start:])


def truncated(handler: BaseHTTPRequestHandler, content: bytes, sent: int) -> None:
    """Announce all of it, send `sent` bytes, hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[:sent])
    handler.close_connection = True


def unannounced(handler: BaseHTTPRequestHandler, content: bytes, sent: int) -> None:
    """Send `sent` bytes of a body whose length was not announced, hang up."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(content[:sent])
    handler.close_connection = True
