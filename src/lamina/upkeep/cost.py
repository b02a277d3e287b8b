"""What it would cost to publish every image every day, under both types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from lamina.model.built import Built
from lamina.model.image import Image, Kind, Type


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCost:
    """The bytes that would be sent; compressed, layers alone."""

    day: int  # every day
    days: int  # since the last publication, at least one

    @property
    def total(self) -> int:
        """The bytes of all these days."""
        return self.day * self.days


def daily_cost(
    images: Iterable[tuple[Image, Built]], last: datetime | None, now: datetime
) -> DailyCost:
    """Return what publishing these images every day under both types would have sent.

    As releases up to 2021 did it: rebuilt every day, when every layer comes out with another
    digest, and every infra image built once for each type. Within a day and a type, images share
    layers as they do here. `last` is when anything was published last.
    """
    infra: dict[str, int] = {}
    others: dict[str, int] = {}
    for image, built in images:
        mine = infra if image.kind is Kind.INFRA else others
        mine |= {str(layer.digest): layer.size for layer in built.layers}
    own = sum(size for digest, size in others.items() if digest not in infra)
    began = (last or now).astimezone(UTC).date()
    days = max((now.astimezone(UTC).date() - began).days, 1)
    return DailyCost(day=len(Type) * sum(infra.values()) + own, days=days)
