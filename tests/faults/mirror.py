"""A mirror with real packages, on this machine's loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

from tests.fetch.mirror import Mirror, ranged, running_mirror

from lamina.model.lock import UnitRef
from lamina.store.store import Store

Answer = Callable[[BaseHTTPRequestHandler, int], None]


def address(unit: UnitRef) -> str:
    """Return the path under which a mirror of all repositories has a package."""
    return f"/{unit.repository}/{quote(unit.path, safe='/+:=@,~')}"


@contextmanager
def package_mirror(units: Iterable[UnitRef], store: Store) -> Iterator[Mirror]:
    with running_mirror() as mirror:
        for unit in units:
            mirror.answers[address(unit)] = _serve(store.download_path(unit.digest))
        yield mirror


def _serve(path: Path) -> Answer:
    return lambda handler, _: ranged(handler, path.read_bytes())


def dribbled(handler: BaseHTTPRequestHandler, content: bytes, *, pieces: int, pause: float) -> None:
    """Send all of it, a piece at a time."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    size = -(-len(content) // pieces)
    for start in range(0, len(content), size):
        handler.wfile.write(content[start : start + size])
        time.sleep(pause)
