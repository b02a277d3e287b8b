"""How a registry's refusal is told: place, fault, remedy."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

import httpx

from lamina.errors import LaminaError, NetworkError
from lamina.model.url import without_credentials
from lamina.registry.passwords import Password

_SHOWN = 300  # characters of what a registry says


class TryAgainError(Exception):
    """The registry may well answer the next time; `after` seconds if it said so."""

    def __init__(self, message: str, after: float | None = None) -> None:
        """Take what is told if it never does."""
        super().__init__(message)
        self.after = after


def check(response: httpx.Response, place: str, password: Password | None) -> None:
    """Raise for an answer that is no success: `TryAgainError`, or a `NetworkError` for good."""
    if response.is_success:
        return
    status = response.status_code
    if response.is_server_error or status in (
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_EARLY,
        httpx.codes.TOO_MANY_REQUESTS,
    ):
        raise TryAgainError(_said(response), _retry_after(response))
    raise NetworkError.one(_said(response), place=place, remedy=_remedy(response, password))


def transport_error(error: Exception, place: str) -> TryAgainError | LaminaError:
    """Return how it is told that there is no answer: whether it may come the next time."""
    reason = without_credentials(str(error)) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return TryAgainError("the registry did not answer in time")
    if isinstance(error, httpx.TransportError) and "CERTIFICATE_VERIFY_FAILED" in reason:
        return NetworkError.one(
            f"its certificate is not trusted: {reason}",
            place=place,
            remedy="give the authority that signed it with --ca FILE, or put it below certs.d",
        )
    if isinstance(error, httpx.TransportError) and "WRONG_VERSION_NUMBER" in reason:
        return NetworkError.one(
            "it does not speak TLS",
            place=place,
            remedy="write http:// in front of a registry that is to be spoken to in the clear",
        )
    if isinstance(error, httpx.TransportError):
        return TryAgainError(reason)
    return NetworkError.one(reason, place=place, remedy=_CHECK)


def exhausted(error: TryAgainError, place: str, attempts: int) -> LaminaError:
    """Return the error of a registry that never answered as it should."""
    wish = f"; it asks to be left alone for {error.after:.0f} s" if error.after else ""
    times = f"{attempts} times" if attempts > 1 else "once"
    return NetworkError.one(f"{error}{wish} (tried {times})", place=place, remedy=_CHECK)


_CHECK = "check the registry and the network; the same command goes on where this one stopped"


def _said(response: httpx.Response) -> str:
    """Return the status, with the registry's own words where it has some."""
    head = f"the registry answered {response.status_code} {response.reason_phrase}".rstrip()
    words = "; ".join(_words(response))
    return f"{head}: {words[:_SHOWN]}" if words else head


def _words(response: httpx.Response) -> list[str]:
    """Return the messages of an error document (distribution specification, "Error Codes")."""
    try:
        errors = json.loads(response.content)["errors"]
        told = [f"{error.get('message') or error['code']}" for error in errors]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
    return ["".join(letter for letter in one if letter.isprintable()) for one in told]


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that the registry asks for; a date counts from its own (RFC 9110)."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        now, then = (parsedate_to_datetime(one) for one in (response.headers["date"], text))
        return max((then - now).total_seconds(), 0.0)
    except (KeyError, TypeError, ValueError):
        return None


def _remedy(response: httpx.Response, password: Password | None) -> str:
    host = response.request.url.netloc.decode()
    known = f"the password of {password.source}" if password else ""
    match response.status_code:
        case httpx.codes.UNAUTHORIZED if password:
            return f"it does not take {known}: log in again"
        case httpx.codes.UNAUTHORIZED:
            return f"log in with `skopeo login {host}`, or name a file in REGISTRY_AUTH_FILE"
        case httpx.codes.FORBIDDEN if password:
            return f"who has {known} may not do this: ask for the right, or log in as another"
        case httpx.codes.FORBIDDEN:
            return f"log in with `skopeo login {host}`, or choose another namespace"
        case httpx.codes.NOT_FOUND:
            return "is there such a namespace, and is this a registry?"
        case httpx.codes.METHOD_NOT_ALLOWED:
            return "the registry does not allow this: its operator can"
        case httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return "a proxy before the registry limits what may be sent: its operator can raise it"
    return "is this a registry of the OCI distribution specification?"
