"""Which images are to be published now: those that have changed, each at its cadence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lamina.model.cadence import Cadence
from lamina.model.digest import Digest
from lamina.upkeep.ledger import Entry

UNCHANGED = "unchanged"
"""Why an image is not due that is as it was published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image that could be published."""

    manifest: Digest
    cadence: Cadence
    names: frozenset[str]  # `debian-cron:latest`, all that are to mean it
    security: Mapping[str, str]  # versions of the packages it has from security repositories


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Whether an image is to be published now, and why or why not."""

    due: bool
    reason: str

    @property
    def waits(self) -> bool:
        """Whether it has changed, and its day has not come."""
        return not self.due and self.reason != UNCHANGED


def turn_of(candidate: Candidate, entry: Entry | None, now: datetime) -> Turn:
    """Return whether an image is due at `now`; `entry` is what the ledger says of it.

    What has not changed never is, unless a name is new. A cadence counts days, not hours: what
    is published every day may be a little earlier than it was the day before.
    """
    if entry is None:
        return Turn(due=True, reason="never published here")
    if candidate.manifest == entry.now.manifest:
        if new := min(candidate.names - entry.names, default=""):
            return Turn(due=True, reason=f"the name {new} is new")
        return Turn(due=False, reason=UNCHANGED)
    if updates := security_updates(entry.security, candidate.security):
        return Turn(due=True, reason=f"security update of {', '.join(updates)}")
    if candidate.cadence is Cadence.ON_CHANGE:
        return Turn(due=True, reason="changed")
    last = entry.now.published.astimezone(UTC).date()
    due_on = last + timedelta(days=candidate.cadence.days)
    if now.astimezone(UTC).date() >= due_on:
        return Turn(due=True, reason=f"changed, {candidate.cadence}, last published on {last}")
    return Turn(due=False, reason=f"changed, {candidate.cadence}, due on {due_on}")


def security_updates(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the packages that have come from security repositories since `before`.

    One that left them, because a release of the distribution took it over, is none.
    """
    return tuple(name for name, version in sorted(now.items()) if before.get(name) != version)
