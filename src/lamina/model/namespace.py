"""Namespaces: the places in registries below which a fleet's repositories lie."""

from __future__ import annotations

import re
from dataclasses import dataclass

# OCI distribution specification 1.1, section "Pulling manifests".
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
)

_CLEAR = "http://"


@dataclass(frozen=True, slots=True, order=True)
class Namespace:
    """A path in a registry, written `registry.example.org:5000/fleet`; the path may be empty.

    A registry without TLS has `http://` in front.
    """

    host: str  # with its port, if that is not the usual one, and `http://` where that is said
    path: str = ""

    def __str__(self) -> str:
        """Print as it is written."""
        return f"{self.host}/{self.path}" if self.path else self.host

    @classmethod
    def parse(cls, text: str) -> Namespace:
        """Read the written form; raise `ValueError` for anything else."""
        clear = _CLEAR if text.startswith(_CLEAR) else ""
        host, slash, path = text.removeprefix(clear).partition("/")
        if not _HOST.fullmatch(host) or (slash and not _PATH.fullmatch(path)):
            raise ValueError(
                f"'{text}' is no place in a registry: say HOST[:PORT]/NAMESPACE, without https://"
            )
        return cls(f"{clear}{host}", path)

    def repository(self, name: str) -> str:
        """Return the repository `name` of the namespace, as the registry calls it."""
        return f"{self.path}/{name}" if self.path else name
