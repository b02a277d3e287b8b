"""How a build went: which worker had which image when, and which images decided its length."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.model.event import Outcome
from lamina.model.image import ImageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a turn; it lasts until the next one begins or the turn ends."""

    name: str  # one word: `unpack`, `configure`, `layers`
    began: float  # seconds since the run began


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The time in which a worker had an image. Times are seconds since the run began."""

    image: ImageId
    parent: ImageId | None
    worker: int  # from 0
    began: float
    ended: float
    outcome: Outcome
    steps: tuple[Step, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A build of several images; those that no worker came to are not in it."""

    started: str  # ISO 8601 in UTC
    seconds: float
    jobs: int  # how many workers there were
    turns: tuple[Turn, ...]  # in the order in which they began

    @property
    def built(self) -> int:
        """How many images were built."""
        return sum(turn.outcome == "built" for turn in self.turns)


def critical_path(run: Run) -> tuple[Turn, ...]:
    """Return the chain of turns that ended last, in the order of their time.

    Each waited for the one before it: its parent's turn, or the turn that its worker had until
    then, whichever ended later. The time before the first went into packages.
    """
    awaited: dict[ImageId, Turn] = {}
    by_image: dict[ImageId, Turn] = {}
    busy: dict[int, Turn] = {}
    for turn in run.turns:
        # The parent first: it counts where both ended at once.
        before = [by_image.get(turn.parent) if turn.parent else None, busy.get(turn.worker)]
        if known := [one for one in before if one]:
            awaited[turn.image] = max(known, key=lambda one: one.ended)
        by_image[turn.image] = busy[turn.worker] = turn
    chain: list[Turn] = []
    link = max(reversed(run.turns), key=lambda turn: turn.ended, default=None)
    while link:
        chain.append(link)
        link = awaited.get(link.image)
    return tuple(reversed(chain))
