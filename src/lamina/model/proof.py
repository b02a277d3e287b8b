"""What was shown of an image: its tests, passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["prepare", "bootstrap", "start", "health check", "user", "run", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A test that an image has passed."""

    test: str  # the command that it ran
    seconds: float
    phases: Mapping[Phase, float] = field(default_factory=dict)  # seconds of a service's phases
