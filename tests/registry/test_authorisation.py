"""Passwords are turned into tokens as the registry asks, and never given away."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import httpx
import pytest

from lamina.errors import NetworkError
from lamina.registry.authorisation import Authorisation
from lamina.registry.passwords import Password

SCOPES = ("repository:cloud/one:pull,push", "repository:cloud/two:pull")
ME = Password(user="me", secret="secret", source="auth.json")
TOKEN = Password(user="", secret="long lived", source="auth.json", is_token=True)


def refusal(header: str) -> httpx.Response:
    return httpx.Response(401, headers={"WWW-Authenticate": header})


def asked(
    password: Password | None, header: str, answer: object
) -> tuple[str | None, httpx.Request]:
    """Return what is said to the registry, and the one request for a token before it."""
    seen: list[httpx.Request] = []

    def ask(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer, request=request)

    found = Authorisation("registry.example.org", secure=True, find=lambda _: password)
    assert found.header("cloud/one", SCOPES, ask) is None
    assert found.learn(refusal(header), SCOPES)
    said = [found.header("cloud/one", SCOPES, ask) for _ in range(2)]
    assert said[0] == said[1]
    (request,) = seen
    return said[0], request


BEARER = 'Bearer realm="https://auth.example.org/token?a=b",service="registry"'


def test_a_password_is_turned_into_a_token_for_all_scopes_at_once() -> None:
    said, request = asked(ME, BEARER, {"token": "short", "expires_in": 300})

    assert said == "Bearer short"
    assert request.method == "GET"
    assert request.url.host == "auth.example.org"
    query = parse_qs(request.url.query.decode())
    assert query == {"a": ["b"], "service": ["registry"], "scope": list(SCOPES)}
    assert request.headers["Authorization"] == ME.basic


def test_a_refresh_token_is_turned_into_a_token() -> None:
    said, request = asked(TOKEN, BEARER, {"access_token": "short"})

    assert said == "Bearer short"
    assert request.method == "POST"
    told = parse_qs(request.content.decode())
    assert told["refresh_token"] == ["long lived"]
    assert told["scope"] == [" ".join(SCOPES)]
    assert "Authorization" not in request.headers


def test_without_a_password_an_anonymous_token_is_asked_for() -> None:
    said, request = asked(None, BEARER, {"token": "for anybody"})

    assert said == "Bearer for anybody"
    assert "Authorization" not in request.headers


def never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"asked {request.url}")


def test_a_password_goes_with_each_request_where_that_is_asked() -> None:
    found = Authorisation("registry.example.org", secure=True, find=lambda _: ME)
    assert found.learn(refusal('Basic realm="x"'), SCOPES)
    assert found.header("cloud/one", SCOPES, never) == ME.basic


def test_a_password_does_not_leave_tls_for_a_token() -> None:
    found = Authorisation("registry.example.org", secure=True, find=lambda _: ME)
    assert found.learn(refusal('Bearer realm="http://auth.example.org/token"'), SCOPES)
    with pytest.raises(NetworkError, match="in the clear"):
        found.header("cloud/one", SCOPES, never)


@pytest.mark.parametrize(
    "answer",
    [lambda: httpx.Response(200, text="hello"), lambda: httpx.Response(200, json={"token": ""})],
)
def test_an_answer_without_token_is_told(answer: Callable[[], httpx.Response]) -> None:
    found = Authorisation("registry.example.org", secure=True, find=lambda _: ME)
    assert found.learn(refusal(BEARER), SCOPES)
    with pytest.raises(NetworkError, match="gives no token") as told:
        found.header("cloud/one", SCOPES, lambda request: _of(request, answer()))
    assert told.value.faults[0].place == "https://auth.example.org/token"


def _of(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    response.request = request
    return response


def test_a_refusal_that_offers_nothing_known_is_final() -> None:
    found = Authorisation("registry.example.org", secure=True, find=lambda _: ME)
    assert not found.learn(refusal("Negotiate"), SCOPES)
