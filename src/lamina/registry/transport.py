"""Requests to one registry: let in, counted, tried again; the only door to registries."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Lock
from typing import Any, TypeVar
from weakref import WeakSet

import httpcore
import httpx

from lamina import __version__
from lamina.registry.authorisation import Authorisation, without_query
from lamina.registry.certificates import trust
from lamina.registry.errors import TryAgainError, check, exhausted, transport_error
from lamina.registry.exchange import Exchange
from lamina.registry.passwords import find_password
from lamina.registry.values import Access, StoppedError, Traffic

T = TypeVar("T")
_TELLING = 5.0  # seconds of waiting that a person should know of
_CONNECTIONS = 16


class Transport:
    """The connections to one registry; may be used by several threads."""

    def __init__(self, host: str, access: Access, *, secure: bool) -> None:
        """Connect to `host` (with its port) when it is first needed."""
        self.host = host
        self._patience = access.patience
        self._tell = access.tell
        self._base = httpx.URL(f"{'https' if secure else 'http'}://{host}")
        self._authorisation = Authorisation(
            host,
            secure=secure,
            find=lambda repository: find_password(access.auth_files, host, repository),
        )
        self._client = httpx.Client(
            headers={"User-Agent": f"lamina/{__version__}", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            timeout=httpx.Timeout(
                access.patience.silence, connect=access.patience.connect, pool=None
            ),
            verify=trust(access, host),
        )
        self._lock = Lock()
        self._connections: WeakSet[socket.socket] = WeakSet()
        self._traffic = Traffic()
        self._stopped = Event()
        self._answered = False
        self._closed_until = 0.0  # on the monotonic clock: the registry asked to be left alone

    @property
    def traffic(self) -> Traffic:
        """What was sent until now."""
        return self._traffic

    def count(self, **more: int) -> None:
        """Add to what was sent."""
        with self._lock:
            was = {name: getattr(self._traffic, name) for name in more}
            added = {name: was[name] + number for name, number in more.items()}
            self._traffic = replace(self._traffic, **added)

    def stop(self) -> None:
        """End every attempt and every waiting now: `StoppedError` in their threads."""
        self._stopped.set()
        with self._lock:
            for connection in self._connections:
                _shut(connection)

    def _remember(self, name: str, told: Mapping[str, Any]) -> None:
        """Keep each new connection: only that ends a thread's waiting for an answer.

        Source: httpcore's documentation, "Extensions", `trace` and `network_stream`.
        """
        if not name.startswith("connection.") or not name.endswith(".complete"):
            return
        stream = told.get("return_value")
        if isinstance(stream, httpcore.NetworkStream):
            connection = stream.get_extra_info("socket")
            with self._lock:
                self._connections.add(connection)
                if self._stopped.is_set():  # it was being made while `stop` ended the others
                    _shut(connection)

    def close(self) -> None:
        """End it all."""
        self.stop()
        self._client.close()

    def check_stopped(self) -> None:
        """Raise `StoppedError` once `stop` was called."""
        if self._stopped.is_set():
            raise StoppedError

    def tried(self, place: str, attempt: Callable[[], T]) -> T:
        """Return what an attempt returns, made again after each `TryAgainError`.

        Not by a library: the waiting of all threads must end with `stop`, and a registry that is
        asked too often wants to be left alone by all of them.
        """
        number = 0
        while True:
            self._wait_until_open()
            try:
                return attempt()
            except TryAgainError as error:
                number += 1
                patience = self._patience
                most = patience.attempts if self._answered else patience.first_attempts
                wish = error.after or 0.0
                if number >= most or wish > patience.longest_wish:
                    raise exhausted(error, place, number) from None
                if wish:
                    self._close_for(wish)
                self.count(repeated=1)
                self._sleep(_pause(number, patience.pause, patience.longest_pause))

    def answer(self, exchange: Exchange) -> httpx.Response:
        """Return the answer to one request, read whole: a success, or 404 where that is one.

        Raises `TryAgainError` when it may be had the next time, `NetworkError` when not.
        """
        with self.stream(exchange) as response:
            with _told(exchange.place):
                response.read()
            return response

    @contextmanager
    def stream(self, exchange: Exchange) -> Iterator[httpx.Response]:
        """Give the answer to one request before its body is read; raises as `answer`."""
        response = self._let_in(exchange)
        try:
            self._answered = True
            if not (exchange.missing and response.status_code == httpx.codes.NOT_FOUND):
                if not response.is_success:
                    with _told(exchange.place):
                        response.read()
                check(response, exchange.place, self._authorisation.password(exchange.repository))
            yield response
        finally:
            response.close()

    def _let_in(self, exchange: Exchange) -> httpx.Response:
        """Return the answer, asked for once more with what a refusal asks for."""
        response = self._send(exchange)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        with _told(exchange.place):
            response.read()
        if not self._authorisation.learn(response, exchange.scopes):
            return response
        return self._send(exchange)

    def _send(self, exchange: Exchange) -> httpx.Response:
        self.check_stopped()
        url = self._base.join(exchange.url)
        headers = dict(exchange.headers)
        # Only this registry gets the password: what it sends elsewhere for holds its own leave.
        if url.netloc == self._base.netloc:
            leave = self._authorisation.header(exchange.repository, exchange.scopes, self._ask)
            headers |= {"Authorization": leave} if leave else {}
            if self._base.scheme == "https":
                url = url.copy_with(scheme="https")  # behind a proxy it may not know of TLS
        request = self._client.build_request(
            exchange.method,
            url,
            headers=headers,
            content=exchange.body() if exchange.body else None,
            extensions={"trace": self._remember},
        )
        self.count(requests=1)
        with _told(exchange.place):
            return self._client.send(
                request, stream=True, follow_redirects=exchange.method in ("GET", "HEAD")
            )

    def _ask(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of whoever gives tokens."""
        self.count(requests=1)
        with _told(without_query(request.url)):
            return self._client.send(request)

    def _close_for(self, seconds: float) -> None:
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)
        if seconds >= _TELLING:
            self._tell(f"{self.host} asks to be left alone for {seconds:.0f} s")

    def _wait_until_open(self) -> None:
        while (left := self._closed_until - time.monotonic()) > 0:
            self._sleep(left)
        self.check_stopped()

    def _sleep(self, seconds: float) -> None:
        self._stopped.wait(seconds)
        self.check_stopped()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Say in the house's words what went wrong on the way."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise transport_error(error, place) from None


def _pause(number: int, first: float, longest: float) -> float:
    """Return the seconds before the next attempt: doubled each time, and different for each."""
    whole: float = min(first * 2.0 ** (number - 1), longest)
    return whole * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
