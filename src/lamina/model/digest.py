"""Digests: the names of contents."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest, written `sha256:<64 hex digits>` as OCI's image specification does."""

    hex: str

    def __post_init__(self) -> None:
        """Refuse everything but 64 lower-case hex digits (`ValueError`)."""
        if not _HEX.fullmatch(self.hex):
            raise ValueError(f"not a sha256 digest: {self.hex!r}")

    def __str__(self) -> str:
        """Print in OCI's form."""
        return f"sha256:{self.hex}"

    @property
    def short(self) -> str:
        """The first twelve hex digits, for people."""
        return self.hex[:12]

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read OCI's form `sha256:<hex>`; raise `ValueError` for anything else."""
        algorithm, _, digits = text.partition(":")
        if algorithm != "sha256":
            raise ValueError(f"not a sha256 digest: {text!r}")
        return cls(digits)

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Return the digest of `content`."""
        return cls(hashlib.sha256(content).hexdigest())


def canonical_json(value: Any) -> bytes:
    """Return `value` as JSON of one single spelling: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
