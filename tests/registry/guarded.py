"""Debian's docker-registry on the loopback, behind TLS and a password or tokens."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.registry.serving import serving
from tests.whole.engines import run
from tests.whole.registry import Registry, registry

from lamina.registry import Access, Patience

USER, PASSWORD = "builder", "open sesame"
# bcrypt of the password at its lowest cost: it is checked with every request.
_HASH = "$2b$04$UkdUDnwdA3ssWLl3ZJ2qNePIljSSWz6saO1J8B8A1DrBvOq6WHcuS"
QUICK = Patience(connect=5, silence=20, attempts=10, pause=0.02, longest_pause=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """The registry, and what gets one in."""

    registry: Registry
    certificate: Path  # its own authority
    key: Path
    auth_file: Path

    @property
    def address(self) -> str:
        return self.registry.address

    @property
    def access(self) -> Access:
        return Access(auth_files=(self.auth_file,), ca=self.certificate, patience=QUICK)

    @property
    def header(self) -> str:
        """What the registry wants to hear with every request."""
        return f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"

    def log_in(self, address: str) -> None:
        """Let the password be known for another address of the registry, too."""
        write_auth(self.auth_file, address)


def write_auth(file: Path, address: str, user: str = USER, password: str = PASSWORD) -> None:
    """Add a password to a file of the form that container tools share."""
    document = json.loads(file.read_text()) if file.exists() else {"auths": {}}
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    document["auths"][address] = {"auth": pair}
    file.write_text(json.dumps(document))


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for the loopback that is its own authority; return it and its key."""
    folder.mkdir(exist_ok=True)
    certificate, key = folder / "server.crt", folder / "server.key"
    run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=registry of a test", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ]
    )
    return certificate, key


@contextmanager
def guarded_registry(folder: Path) -> Iterator[Guarded]:
    """Give a registry that wants TLS and a password; its state is in `folder`."""
    certificate, key = make_certificate(folder)
    (folder / "htpasswd").write_text(f"{USER}:{_HASH}\n")
    tls = f", tls: {{certificate: {certificate}, key: {key}}}"
    auth = f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}"
    with registry(folder / "state", http=tls, auth=auth) as there:
        auth_file = folder / "auth.json"
        write_auth(auth_file, there.address)
        yield Guarded(registry=there, certificate=certificate, key=key, auth_file=auth_file)


@contextmanager
def token_registry(folder: Path) -> Iterator[tuple[Guarded, list[tuple[str, ...]]]]:
    """Give a registry that wants tokens, and the scopes that tokens were given for."""
    certificate, key = make_certificate(folder)
    given: list[tuple[str, ...]] = []
    with _token_server(certificate, key, given) as realm:
        tls = f", tls: {{certificate: {certificate}, key: {key}}}"
        auth = (
            f"auth: {{token: {{realm: '{realm}', service: test, issuer: test, "
            f"rootcertbundle: {certificate}}}}}"
        )
        with registry(folder / "state", http=tls, auth=auth) as there:
            auth_file = folder / "auth.json"
            write_auth(auth_file, there.address)
            guarded = Guarded(registry=there, certificate=certificate, key=key, auth_file=auth_file)
            yield guarded, given


@contextmanager
def _token_server(certificate: Path, key: Path, given: list[tuple[str, ...]]) -> Iterator[str]:
    """Give the address of a server that gives whoever has the password a token for all it asks."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != f"Basic {pair}":
                self.send_response(401)
                self.end_headers()
                return
            scopes = tuple(parse_qs(urlsplit(self.path).query).get("scope", ()))
            given.append(scopes)
            body = json.dumps({"token": _token(scopes, certificate, key), "expires_in": 300})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with serving(Handler, certificate, key) as address:
        yield f"https://{address}/token"


def _token(scopes: tuple[str, ...], certificate: Path, key: Path) -> str:
    """Return a signed token (RFC 7519) that allows `scopes`."""
    der = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    claims = {
        **{"iss": "test", "sub": USER, "aud": "test", "jti": str(now)},
        **{"iat": now - 10, "nbf": now - 10, "exp": now + 300},
        "access": [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (scope.split(":") for scope in scopes)
        ],
    }
    text = ".".join(_plain(json.dumps(part).encode()) for part in (header, claims))
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(key)],
        input=text.encode(),
        capture_output=True,
        check=True,
    ).stdout
    return f"{text}.{_plain(signature)}"


def _plain(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
