"""Where images go: a place in a registry, and the names that they have there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lamina.errors import UsageError

CLEAR = "http://"
"""What stands before a registry that is spoken to without TLS."""

# OCI distribution specification 1.1, section "Pulling manifests".
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Reference:
    """A name of an image within a registry."""

    repository: str  # with its namespace
    tag: str

    def __str__(self) -> str:
        """Print as `REPOSITORY:TAG`."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A registry, and the path in it below which repositories lie."""

    host: str  # with its port, if it has one of its own
    path: str = ""  # without slashes at its ends
    clear: bool = False  # without TLS

    @property
    def registry(self) -> str:
        """The registry, with `http://` where it is spoken to in the clear."""
        return f"{CLEAR}{self.host}" if self.clear else self.host

    def __str__(self) -> str:
        """Print as references begin."""
        return f"{self.host}/{self.path}" if self.path else self.host

    def reference(self, name: str) -> Reference:
        """Return what `REPOSITORY:TAG` is called below this place."""
        repository, _, tag = name.partition(":")
        return Reference(repository=self.repository(repository), tag=tag)

    def repository(self, name: str) -> str:
        """Return what a repository is called below this place."""
        return f"{self.path}/{name}" if self.path else name

    def address(self, reference: Reference) -> str:
        """Return a reference as container engines take it."""
        return f"{self.host}/{reference}"

    @classmethod
    def parse(cls, text: str) -> Namespace:
        """Read `REGISTRY/NAMESPACE`; raise `UsageError` for anything else."""
        clear = text.startswith(CLEAR)
        bare = text.removeprefix(CLEAR).removeprefix("https://")
        host, _, path = bare.rstrip("/").partition("/")
        # Else it is the first part of a path: no tool agrees with another on what is meant.
        named = "." in host or ":" in host or host == "localhost"
        if not named or not _HOST.fullmatch(host):
            raise UsageError.one(
                f"'{host}' is no registry" if host else "there is no registry",
                place=text,
                remedy="write REGISTRY/NAMESPACE, the registry as HOST or HOST:PORT",
            )
        if path and not _REPOSITORY.fullmatch(path):
            raise UsageError.one(
                f"'{path}' is no namespace",
                place=text,
                remedy="it has lower-case letters, digits, and '.', '_', '-' and '/' between them",
            )
        return cls(host=host, path=path, clear=clear)
