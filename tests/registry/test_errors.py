"""What a registry answers decides whether it is asked again, and what is told."""

from __future__ import annotations

import httpx
import pytest

from lamina.errors import NetworkError
from lamina.registry.errors import TryAgainError, check
from lamina.registry.passwords import Password

DATE = {"Date": "Sun, 22 Nov 2026 23:00:00 GMT"}
ME = Password(user="me", secret="secret", source="auth.json")


def an_answer(
    status: int, headers: dict[str, str] | None = None, **content: object
) -> httpx.Response:
    request = httpx.Request("GET", "https://registry.example.org/v2/")
    return httpx.Response(status, headers=headers, json=content, request=request)


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Sun, 22 Nov 2026 23:00:30 GMT", **DATE}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 22:00:30 GMT", **DATE}, 0.0),
        ({"Retry-After": "Sun, 22 Nov 2026 23:00:30 GMT"}, None),
        ({"Retry-After": "soon", **DATE}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_says_how_long_it_wants_to_be_left_alone(
    status: int, headers: dict[str, str], after: float | None
) -> None:
    with pytest.raises(TryAgainError) as told:
        check(an_answer(status, headers), "here", None)
    assert told.value.after == after


@pytest.mark.parametrize(
    ("status", "password", "remedy"),
    [
        (401, None, "skopeo login registry.example.org"),
        (401, ME, "auth.json"),
        (403, None, "skopeo login registry.example.org"),
        (403, ME, "auth.json"),
        (404, ME, "namespace"),
        (405, ME, "operator"),
        (413, ME, "proxy"),
        (418, ME, "is this a registry"),
    ],
)
def test_every_refusal_has_a_remedy_and_is_final(
    status: int, password: Password | None, remedy: str
) -> None:
    with pytest.raises(NetworkError) as told:
        check(an_answer(status), "here", password)
    (fault,) = told.value.faults
    assert fault.place == "here"
    assert str(status) in fault.message
    assert remedy in fault.remedy
    assert "secret" not in str(fault)


def test_the_registrys_own_words_are_told_without_what_could_harm_a_terminal() -> None:
    errors = [{"code": "DENIED", "message": "not \x1b[31myou"}, {"code": "UNKNOWN"}]
    with pytest.raises(NetworkError, match=r"403 Forbidden: not \[31myou; UNKNOWN"):
        check(an_answer(403, errors=errors), "here", None)
