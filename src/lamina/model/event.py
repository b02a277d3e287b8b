"""What a running build says about itself: values that the console shows and tests read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from lamina.model.image import ImageId
from lamina.model.plan import Plan
from lamina.model.proof import Proof

Outcome = Literal[
    "built",
    "tested",
    "pulled",
    "unchanged",
    "failed",
    "not fetched",
    "test failed",
    "blocked",
    "interrupted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the run is going to do, and what is needed to say how long that may take."""

    plan: Plan
    parents: Mapping[ImageId, ImageId | None]
    expected: Mapping[ImageId, float]  # seconds that earlier builds took
    jobs: int  # how many images are built at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """So much of the packages and artifacts has been fetched; bytes."""

    done: int
    total: int | None  # None where nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """So much of what a registry lacks has been sent there; bytes."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsMade:
    """So many of the units that were missing have been unpacked."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStarted:
    """An image is being worked on; `expected` seconds, from its earlier builds, or None."""

    image: ImageId
    expected: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStep:
    """An image has come to this step: `configure`, `layers`, `test 1 of 2`."""

    image: ImageId
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDone:
    """An image is finished, one way or another."""

    image: ImageId
    outcome: Outcome
    seconds: float
    message: str = ""  # why it failed, or what blocked it
    log: str = ""  # path of its full log
    proofs: tuple[Proof, ...] = ()  # what its tests have shown, if they ran and passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What the run is at, until it says otherwise: `updating the package indices`."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something a person should know: a damaged unit healed, another process waited for."""

    message: str


Event = (
    Planned | Downloaded | Sent | UnitsMade | ImageStarted | ImageStep | ImageDone | Doing | Note
)
Listener = Callable[[Event], None]
