"""What to build, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lamina.model.image import ImageId

Action = Literal["build", "pull", "test", "keep", "blocked"]
"""`test`: the image is there or in a cache, and only its tests are run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """What is to be done with one image; every step has at least one reason."""

    image: ImageId
    action: Action
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps, parents before children."""

    steps: tuple[PlanStep, ...]

    def by_id(self) -> Mapping[ImageId, PlanStep]:
        """Return the steps by image."""
        return {step.image: step for step in self.steps}

    def with_action(self, action: Action) -> tuple[ImageId, ...]:
        """Return the images whose step is `action`, in order."""
        return tuple(step.image for step in self.steps if step.action == action)
