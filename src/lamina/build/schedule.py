"""The order in which images are built: the longest chain of what is still to do starts first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lamina.model.image import ImageId

# What an image takes that was never built: a start for the first schedule only.
SECONDS_PER_IMAGE = 1.0
SECONDS_PER_UNIT = 0.05


def estimate(units: int, measured: float | None) -> float:
    """Return the seconds that an image will take: as before, or by how many units it installs."""
    if measured is not None:
        return measured
    return SECONDS_PER_IMAGE + SECONDS_PER_UNIT * units


def remaining(
    parents: Mapping[ImageId, ImageId | None], seconds: Mapping[ImageId, float]
) -> Mapping[ImageId, float]:
    """Return for each image the seconds from its start to the end of its longest line of children.

    `parents` holds every image, parents before children; a parent that is not in it is finished.
    """
    longest: dict[ImageId, float] = {}
    below: dict[ImageId, float] = {}
    for image in reversed(list(parents)):
        longest[image] = seconds[image] + below.get(image, 0.0)
        parent = parents[image]
        if parent is not None:
            below[parent] = max(below.get(parent, 0.0), longest[image])
    return longest


def ready(
    parents: Mapping[ImageId, ImageId | None],
    waiting: Collection[ImageId],
    finished: Collection[ImageId],
    chains: Mapping[ImageId, float],
) -> Sequence[ImageId]:
    """Return the waiting images that can start now, those before the longest chain first."""
    able = [
        image
        for image in waiting
        if (parent := parents[image]) is None or parent in finished or parent not in parents
    ]
    return sorted(able, key=lambda image: (-chains[image], image))
