"""Cadences: how often an image that has changed is published."""

from __future__ import annotations

from enum import StrEnum


class Cadence(StrEnum):
    """How often an image that has changed is published; days are those of UTC."""

    DAILY = "daily"
    WEEKLY = "weekly"
    ON_CHANGE = "on-change"  # as soon as it has changed

    @property
    def days(self) -> int:
        """How many days lie between two publications at least."""
        return _DAYS[self]


_DAYS = {Cadence.ON_CHANGE: 0, Cadence.DAILY: 1, Cadence.WEEKLY: 7}
