"""How often images are published, and when a pipeline has to run for that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from lamina.model.image import Image, Kind


class Cadence(StrEnum):
    """How often an image is published if it has changed, the most frequent first."""

    DAILY = "daily"
    WEEKLY = "weekly"


CADENCES: Mapping[Kind, Cadence] = MappingProxyType(
    {Kind.INFRA: Cadence.WEEKLY, Kind.OPENSTACK: Cadence.DAILY}
)

# Off the full hour, when everybody's pipelines start.
CRON: Mapping[Cadence, str] = MappingProxyType(
    {Cadence.DAILY: "17 3 * * *", Cadence.WEEKLY: "17 3 * * 1"}
)


def cadence_of(images: Iterable[Image]) -> Cadence:
    """Return how often a pipeline runs: as often as any of the images may be due."""
    wanted = {CADENCES[image.kind] for image in images}
    return next(cadence for cadence in Cadence if cadence in wanted)
