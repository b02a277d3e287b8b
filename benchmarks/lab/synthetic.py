"""A fleet that never was: as large as asked for, its packages shared as real images share them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from lamina.layering import Content, Unit
from lamina.model.image import ImageId

_SEED = 2025
_IMAGES_IN_FAMILY = 12
_FOUNDATION = 80  # packages that the root has
# As in Debian's packages that images have: a median of 100 kB, 1 in 20 above 2.5 MB.
_MEDIAN, _SPREAD, _SMALLEST, _LARGEST = 1e5, 1.95, 2e3, 60e6
_POPULARITY = 0.8  # exponent of Zipf's law: by rank, how often a package is needed
_AREA = 40  # neighbouring packages: what a family asks for lies together
_SIBLINGS, _NEEDS = 0.5, 0.9  # 1 over the mean: packages of one source, dependencies of one package
_LOCAL = 0.3  # the part of the dependencies that stays in its area
_BASE_ASKS, _ASKS, _FAR = 16, 8, 6  # at most: of the own area, twice, and of all packages


def synthetic_fleet(images: int, packages: int) -> tuple[Content, ...]:
    """Return a fleet of so many images, always the same; some of the packages are in none.

    Packages have dependencies on more popular ones, with sizes that tail heavily. Images stand in
    families with one base, or one below the other; all have one root. An image has what it asks
    for and all dependencies, less what its ancestors have.
    """
    return _Fleet(random=Random(_SEED), packages=packages).made(images)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fleet:
    random: Random
    packages: int

    def made(self, images: int) -> tuple[Content, ...]:
        random = self.random
        weights = list(accumulate((rank + 1) ** -_POPULARITY for rank in range(self.packages)))
        needs = self._needs(weights)
        units = self._units()
        has: dict[ImageId, frozenset[int]] = {}
        contents: list[Content] = []

        def add(name: str, parent: ImageId | None, asked: Sequence[int]) -> ImageId:
            inherited = has[parent] if parent else frozenset()
            wanted = frozenset[int]().union(*(needs[package] for package in asked))
            own = tuple(units[package] for package in sorted(wanted - inherited))
            id_ = ImageId(name)
            has[id_] = inherited | wanted
            contents.append(Content(image=id_, parent=parent, units=own))
            return id_

        root = add("root", None, range(_FOUNDATION))
        while len(contents) < images:
            family = len(contents)
            home = random.randrange(_FOUNDATION, self.packages)
            base = root
            for level in range(random.choice((1, 1, 1, 2))):
                base = add(f"f{family}-base{level}", base, self._asked(weights, home, _BASE_ASKS))
            for number in range(random.randint(1, 2 * _IMAGES_IN_FAMILY)):
                image = add(f"f{family}-{number}", base, self._asked(weights, home, _ASKS))
                if random.random() < 0.1:
                    add(f"f{family}-{number}-more", image, self._asked(weights, home, _ASKS // 2))
        return tuple(contents[:images])

    def _asked(self, weights: Sequence[float], home: int, most: int) -> list[int]:
        """Return packages of the family, and some that anybody may ask for."""
        near = self.random.randint(1, most)
        far = self.random.randrange(_FAR)
        return [
            *(min(self.packages - 1, home + self.random.randrange(_AREA)) for _ in range(near)),
            *(self._popular(weights, self.packages) for _ in range(far)),
        ]

    def _needs(self, weights: Sequence[float]) -> list[frozenset[int]]:
        """Return each package with all that it depends on."""
        needs: list[frozenset[int]] = []
        while len(needs) < self.packages:
            # A source makes several packages, the last of which needs the others.
            first, count = len(needs), 1 + int(self.random.expovariate(_SIBLINGS))
            for package in range(first, min(first + count, self.packages)):
                direct = set(range(first, package)) if package == first + count - 1 else {first}
                for _ in range(int(self.random.expovariate(_NEEDS))):
                    # Of its own area, or of what everybody uses.
                    near = max(0, first - 1 - self.random.randrange(_AREA))
                    popular = self._popular(weights, max(1, first))
                    direct.add(near if self.random.random() < _LOCAL else popular)
                known = [needs[each] for each in sorted(direct) if each < package]
                needs.append(frozenset({package}).union(*known))
        return needs

    def _popular(self, weights: Sequence[float], below: int) -> int:
        """Return one of the packages up to a rank, the popular ones more often."""
        return bisect_left(weights, self.random.random() * weights[below - 1])

    def _units(self) -> list[Unit]:
        units = []
        for number in range(self.packages):
            size = _MEDIAN * self.random.lognormvariate(0, _SPREAD)
            name = f"package-{number:05}"
            bytes_ = int(min(max(size, _SMALLEST), _LARGEST))
            units.append(Unit(key=f"{name}_1.0_all", name=name, size=bytes_))
        return units
