"""Leave to speak to a registry: a password with each request, or tokens got with it.

Source: the distribution project's "Token Authentication Specification" and its form for refresh
tokens (OAuth2).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock
from urllib.parse import urlsplit

import httpx

from lamina.errors import NetworkError
from lamina.registry.challenge import Challenge, find_challenge
from lamina.registry.errors import check
from lamina.registry.passwords import Password

_SPAN = 60  # seconds that a token lives where its giver does not say
_SPARE = 10  # seconds before its end in which a token is no longer used
_CLIENT = "lamina"

Ask = Callable[[httpx.Request], httpx.Response]
FindPassword = Callable[[str], Password | None]  # by repository


class Authorisation:
    """What is known of how one registry lets in; shared by all threads."""

    def __init__(self, host: str, *, secure: bool, find: FindPassword) -> None:
        """Know nothing yet of the registry `host`; over TLS, passwords stay within TLS."""
        self._host = host
        self._secure = secure
        self._find = find
        self._challenge: Challenge | None = None
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}
        self._passwords: dict[str, Password | None] = {}
        self._lock = Lock()

    def password(self, repository: str) -> Password | None:
        """Return who to be for a repository."""
        if repository not in self._passwords:
            self._passwords[repository] = self._find(repository)
        return self._passwords[repository]

    def header(self, repository: str, scopes: Sequence[str], ask: Ask) -> str | None:
        """Return the value of `Authorization`; None while the registry has not asked for one.

        `scopes` are what a token must allow, as `repository:NAME:pull,push`.
        """
        with self._lock:
            password = self.password(repository)
            if self._challenge is None:
                return None
            if self._challenge.scheme == "basic":
                return password.basic if password and not password.is_token else None
            return f"Bearer {self._token(self._challenge, password, tuple(scopes), ask)}"

    def learn(self, response: httpx.Response, scopes: Sequence[str]) -> bool:
        """Take what a refusal says of the way in; tell whether there is one to be tried."""
        challenge = find_challenge(response.headers.get_list("www-authenticate"))
        with self._lock:
            self._tokens.pop(tuple(scopes), None)  # it was refused
            self._challenge = challenge or self._challenge
        return challenge is not None

    def _token(
        self, challenge: Challenge, password: Password | None, scopes: tuple[str, ...], ask: Ask
    ) -> str:
        token, until = self._tokens.get(scopes, ("", 0.0))
        if time.monotonic() < until:
            return token
        request = self._token_request(challenge, password, scopes)
        response = ask(request)
        place = without_query(request.url)
        check(response, place, password)
        try:
            told = response.json()
            token = str(told.get("token") or told["access_token"])
            span = float(told.get("expires_in") or _SPAN)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise NetworkError.one(
                "it gives no token", place=place, remedy=f"is {self._host} set up as it should be?"
            ) from error
        self._tokens[scopes] = (token, time.monotonic() + span - _SPARE)
        return token

    def _token_request(
        self, challenge: Challenge, password: Password | None, scopes: tuple[str, ...]
    ) -> httpx.Request:
        realm = challenge.parameters["realm"]
        scheme = urlsplit(realm).scheme
        if scheme != "https" and (self._secure or scheme != "http"):
            raise NetworkError.one(
                f"it sends for tokens to {realm}, where passwords would go in the clear",
                place=self._host,
                remedy="the registry's operator must give an address with https://",
            )
        service = challenge.parameters.get("service", "")
        if password and password.is_token:
            return httpx.Request(
                "POST",
                realm,
                data={
                    "grant_type": "refresh_token",
                    "refresh_token": password.secret,
                    "client_id": _CLIENT,
                    "service": service,
                    "scope": " ".join(scopes),
                },
            )
        query = [("service", service)] if service else []
        url = httpx.URL(realm)
        for name, value in (*query, *(("scope", scope) for scope in scopes)):
            url = url.copy_add_param(name, value)
        headers = {"Authorization": password.basic} if password else {}
        return httpx.Request("GET", url, headers=headers)


def without_query(url: httpx.URL) -> str:
    """Return an address as it may be shown: no user, no query."""
    return str(url.copy_with(query=None, username="", password=""))
