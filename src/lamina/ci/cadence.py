"""When a pipeline has to run for its images' cadence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from lamina.model.cadence import Cadence
from lamina.model.image import Image


class Schedule(StrEnum):
    """How often a pipeline starts by itself."""

    DAILY = "daily"
    WEEKLY = "weekly"


# Off the full hour, when everybody's pipelines start.
CRON: Mapping[Schedule, str] = MappingProxyType(
    {Schedule.DAILY: "17 3 * * *", Schedule.WEEKLY: "17 3 * * 1"}
)


def schedule_of(images: Iterable[Image]) -> Schedule:
    """Return how often a pipeline starts: as often as any of the images may be due."""
    weekly = all(image.cadence is Cadence.WEEKLY for image in images)
    return Schedule.WEEKLY if weekly else Schedule.DAILY
