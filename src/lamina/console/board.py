"""How a run stands: a value that every event moves on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import assert_never

from lamina.model.event import (
    Doing,
    Downloaded,
    Event,
    ImageDone,
    ImageStarted,
    ImageStep,
    Note,
    Outcome,
    Planned,
    Sent,
    UnitsMade,
)
from lamina.model.image import ImageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An image that is being worked on; times in seconds, the beginning on the caller's clock."""

    step: str
    begun: float
    expected: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """How far the run has come."""

    waiting: tuple[ImageId, ...] = ()  # planned and not begun, parents before children
    running: Mapping[ImageId, Running] = field(default_factory=dict)
    done: Mapping[ImageId, ImageDone] = field(default_factory=dict)
    kept: frozenset[ImageId] = frozenset()  # by the plan already
    parents: Mapping[ImageId, ImageId | None] = field(default_factory=dict)
    expected: Mapping[ImageId, float] = field(default_factory=dict)
    jobs: int = 1
    downloaded: Downloaded | None = None
    sent: Sent | None = None
    units: UnitsMade | None = None
    doing: str = ""

    def count(self, outcome: Outcome) -> int:
        """Return how many images have come to this outcome."""
        images = {image for image, done in self.done.items() if done.outcome == outcome}
        return len(images | self.kept) if outcome == "unchanged" else len(images)


def advanced(board: Board, event: Event, now: float) -> Board:
    """Return the board after `event`, which came at the time `now`."""
    match event:
        case Planned():
            return replace(
                board,
                waiting=event.plan.with_action("build"),
                kept=frozenset(event.plan.with_action("keep")),
                parents=event.parents,
                expected=event.expected,
                jobs=event.jobs,
                doing="",
            )
        case ImageStarted():
            begun = Running(step="", begun=now, expected=event.expected)
            return replace(
                board,
                waiting=tuple(image for image in board.waiting if image != event.image),
                running={**board.running, event.image: begun},
            )
        case ImageStep():
            before = board.running.get(event.image, Running(step="", begun=now, expected=None))
            return replace(
                board,
                running={**board.running, event.image: replace(before, step=event.step)},
            )
        case ImageDone():
            running = {key: value for key, value in board.running.items() if key != event.image}
            return replace(
                board,
                waiting=tuple(image for image in board.waiting if image != event.image),
                running=running,
                done={**board.done, event.image: event},
            )
        case Downloaded():
            return replace(board, downloaded=event)
        case Sent():
            return replace(board, sent=event)
        case UnitsMade():
            return replace(board, units=event)
        case Doing():
            return replace(board, doing=event.message)
        case Note():
            return board
    assert_never(event)


def time_left(board: Board, now: float) -> float | None:
    """Return the seconds until the run is over, by the longest chain of images; None if unknown.

    An image that was never built is taken to last as long as the median of the others.
    """
    known = [*board.expected.values(), *_built_seconds(board)]
    if not known:
        return None
    usual = median(known)
    rest: dict[ImageId, float] = {}
    finish: dict[ImageId, float] = {}
    # Parents stand first among the running and the waiting, and the running before the waiting.
    for image in (*board.running, *board.waiting):
        whole = board.expected.get(image, usual)
        begun = board.running[image].begun if image in board.running else now
        rest[image] = max(whole - (now - begun), 0.0)
        parent = board.parents.get(image)
        finish[image] = rest[image] + (finish.get(parent, 0.0) if parent else 0.0)
    if not rest:
        return 0.0
    return max(max(finish.values()), sum(rest.values()) / board.jobs)


def _built_seconds(board: Board) -> list[float]:
    return [done.seconds for done in board.done.values() if done.outcome == "built"]
