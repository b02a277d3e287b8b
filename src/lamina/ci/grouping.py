"""Which job builds which images: a trunk that several need, and branches of equal weight."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lamina.model.image import Image, ImageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The trunk is built first; then all branches at once, for none needs another one.

    Each holds images in the catalogue's order, parents first, so an image's parent is in its own
    group or in the trunk.
    """

    trunk: tuple[ImageId, ...]
    branches: tuple[tuple[ImageId, ...], ...] = ()

    def __iter__(self) -> Iterator[tuple[ImageId, ...]]:
        """Yield the groups, the trunk first."""
        yield self.trunk
        yield from self.branches

    def __len__(self) -> int:
        """Return how many groups there are."""
        return 1 + len(self.branches)


def weights(images: Sequence[Image], seconds: Mapping[ImageId, float]) -> Mapping[ImageId, float]:
    """Return what each image's build is expected to cost.

    That is the seconds of its last build. One that was not built yet counts by its packages, as
    those that were built cost for each of theirs; without any build, the packages alone count.
    """
    sizes = {image.id: 1 + len(image.packages) + len(image.artifacts) for image in images}
    known = {image: seconds[image] for image in sizes if seconds.get(image, 0) > 0}
    rate = sum(known.values()) / sum(sizes[image] for image in known) if known else 1.0
    return {image: known.get(image, size * rate) for image, size in sizes.items()}


def make_groups(images: Sequence[Image], seconds: Mapping[ImageId, float], *, count: int) -> Groups:
    """Return at most `count` groups of `images`.

    These have their parents among them, parents first. `seconds` is how long earlier builds took,
    as far as that is known.
    """
    order = [image.id for image in images]
    if count == 1 or len(order) == 1:
        return Groups(trunk=tuple(order))
    cost = weights(images, seconds)
    children: dict[ImageId | None, list[ImageId]] = {}
    for image in images:
        children.setdefault(image.parent, []).append(image.id)
    below = dict(cost)  # the cost of each image with all its descendants
    for image in reversed(images):
        if image.parent:
            below[image.parent] += below[image.id]

    trunk = list(children[None])
    limbs = [child for root in trunk for child in children.get(root, ())]
    # An image whose descendants are more than one branch can take belongs to the trunk.
    while heavy := [
        limb
        for limb in limbs
        if children.get(limb) and below[limb] * (count - 1) > sum(below[other] for other in limbs)
    ]:
        for limb in heavy:
            limbs.remove(limb)
            limbs.extend(children[limb])
        trunk.extend(heavy)

    bins: list[tuple[float, list[ImageId]]] = [(0.0, []) for _ in range(count - 1)]
    # The heaviest first, each to the lightest: a branch is at most a third above the best.
    for limb in sorted(limbs, key=lambda limb: (-below[limb], limb)):
        lightest = min(range(len(bins)), key=lambda number: (bins[number][0], number))
        load, taken = bins[lightest]
        bins[lightest] = (load + below[limb], [*taken, limb])
    grown = [_with_descendants(taken, children) for _, taken in bins if taken]
    return Groups(
        trunk=_ordered(order, trunk), branches=tuple(_ordered(order, each) for each in grown)
    )


def fits(groups: Groups, images: Sequence[Image], *, count: int) -> bool:
    """Tell whether `groups` could be those of `images`: all of them, once, parents in time."""
    listed = [image for group in groups for image in group]
    if len(listed) != len(set(listed)) or {image.id for image in images} != set(listed):
        return False
    place = {image.id: number for number, image in enumerate(images)}
    parents = {image.id: image.parent for image in images}
    sorted_right = all(list(group) == sorted(group, key=place.__getitem__) for group in groups)
    return (
        sorted_right
        and len(groups) <= count
        and all(
            parents[image] is None or parents[image] in (*groups.trunk, *group)
            for group in groups
            for image in group
        )
    )


def _with_descendants(
    roots: Iterable[ImageId], children: Mapping[ImageId | None, Sequence[ImageId]]
) -> set[ImageId]:
    found: set[ImageId] = set()
    waiting = list(roots)
    while waiting:
        image = waiting.pop()
        found.add(image)
        waiting.extend(children.get(image, ()))
    return found


def _ordered(order: Sequence[ImageId], chosen: Collection[ImageId]) -> tuple[ImageId, ...]:
    return tuple(image for image in order if image in set(chosen))
