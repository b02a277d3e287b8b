"""How large a fleet and its images may be, for a pipeline that refuses what has grown too much."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lamina.errors import Fault, UsageError
from lamina.model.amounts import size_text
from lamina.storage.report import StorageReport

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([A-Za-z]*)")
_UNITS: Mapping[str, int] = MappingProxyType(
    {"": 1, "B": 1}
    | {f"{letter}B": 1000**power for power, letter in enumerate("kMGT", start=1)}
    | {"KB": 1000}
    | {f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)}
)
_NAMED = 3  # images that are told of a fleet that is too large


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most bytes, compressed, as a registry stores them and a node fetches them."""

    total: int | None = None  # the fleet's unique bytes
    image: int | None = None  # any image's apparent bytes


def parse_size(text: str) -> int:
    """Return the bytes that `500MB`, `2GiB` or `1048576` mean; raise `UsageError` otherwise."""
    match = _SIZE.fullmatch(text.strip())
    if not match or match[2] not in _UNITS:
        raise UsageError.one(
            "not a size",
            place=text,
            remedy="write bytes, or a number with kB, MB, GB, KiB, MiB or GiB",
        )
    return round(float(match[1]) * _UNITS[match[2]])


def exceeded(report: StorageReport, limits: Limits) -> tuple[Fault, ...]:
    """Return what is larger than the limits allow, by how many bytes; the worst first."""
    return (*_fleet(report, limits.total), *_images(report, limits.image))


def _fleet(report: StorageReport, limit: int | None) -> Iterator[Fault]:
    size = report.unique.compressed
    if limit is None or size <= limit:
        return
    largest = sorted(report.images, key=lambda image: (-image.amortised.compressed, image.id))
    parts = (f"{image.id} {size_text(image.amortised.compressed)}" for image in largest[:_NAMED])
    yield Fault("the fleet", _over(size, limit), f"the largest parts of it: {', '.join(parts)}")


def _images(report: StorageReport, limit: int | None) -> Iterator[Fault]:
    if limit is None:
        return
    for image in sorted(report.images, key=lambda one: (-one.apparent.compressed, one.id)):
        size = image.apparent.compressed
        if size > limit:
            yield Fault(
                str(image.id),
                _over(size, limit),
                f"no other image has {size_text(image.exclusive.compressed)} of it",
            )


def _over(size: int, limit: int) -> str:
    """Return by how much; in bytes too, for what is over by little."""
    over = size - limit
    return (
        f"{size_text(size)} compressed is {size_text(over)} ({over} bytes) over {size_text(limit)}"
    )
