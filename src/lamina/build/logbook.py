"""What a build writes down of itself as it goes: who had which image when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lamina.model.event import Outcome
from lamina.model.image import ImageId
from lamina.model.run import Run, Step, Turn


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A turn that is not over."""

    parent: ImageId | None
    worker: int
    began: float
    steps: list[Step] = field(default_factory=list)


class Logbook:
    """The turns of a run that begins now; each image is written by one thread only."""

    def __init__(self, jobs: int) -> None:
        # The wall clock is asked once, and may jump as it likes afterwards.
        self._started = datetime.now(UTC)
        self._zero = time.monotonic()
        self._jobs = jobs
        self._begun: dict[ImageId, _Begun] = {}
        self._turns: dict[ImageId, Turn] = {}

    def begin(self, image: ImageId, parent: ImageId | None, *, worker: int) -> None:
        """Write down that `worker` begins with `image`."""
        self._begun[image] = _Begun(parent=parent, worker=worker, began=self._now())

    def step(self, image: ImageId, title: str) -> None:
        """Write down that an image has come to a step; several of one sort in a row are one."""
        steps = self._begun[image].steps
        name = title.partition(" ")[0]  # the rest names packages, hundreds of them
        if not steps or steps[-1].name != name:
            steps.append(Step(name=name, began=self._now()))

    def end(self, image: ImageId, outcome: Outcome) -> Turn:
        """Write down how an image's turn ended, and return the turn."""
        begun = self._begun[image]
        turn = Turn(
            image=image,
            parent=begun.parent,
            worker=begun.worker,
            began=begun.began,
            ended=self._now(),
            outcome=outcome,
            steps=tuple(begun.steps),
        )
        self._turns[image] = turn
        return turn

    def close(self) -> Run:
        """Return the run as it has gone until now."""
        return Run(
            started=self._started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=self._now(),
            jobs=self._jobs,
            turns=tuple(self._turns[image] for image in self._begun if image in self._turns),
        )

    def _now(self) -> float:
        return round(time.monotonic() - self._zero, 3)
