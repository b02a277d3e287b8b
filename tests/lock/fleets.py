"""Small fleets for the tests, and a solver that installs what it is asked for and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lamina.backends.deb.solver import Question, Refusal, Solution
from lamina.errors import Fault
from lamina.lock import make_lock
from lamina.lock.solving import solve_images
from lamina.model.catalog import Catalog, Distro, Repository
from lamina.model.digest import Digest
from lamina.model.image import Image, ImageId, Kind
from lamina.model.lock import DpkgCall, Index, Lock, UnitRef

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = Repository(name="debian", suites=("trixie",), components=("main",), keyring=KEYRING)
EXTRAS = Repository(
    name="extras", suites=("stable",), components=("main",), keyring="extras.asc", default=False
)


def a_distro(*repositories: Repository) -> Distro:
    return Distro(
        name="debian-13",
        short="debian",
        release="trixie",
        fallback=("debian-13", "debian", "deb"),
        backend="deb",
        architecture="amd64",
        repositories=repositories or (DEBIAN, EXTRAS),
        rules=(),
    )


def an_image(
    name: str,
    parent: str | None = None,
    packages: Iterable[str] = (),
    *,
    repositories: Iterable[str] = (),
    unbuildable: str = "",
) -> Image:
    return Image(
        id=ImageId(name),
        kind=Kind.INFRA,
        family=name,
        parent=ImageId(parent) if parent else None,
        packages=tuple(packages),
        repositories=tuple(repositories),
        unbuildable=unbuildable,
        place=f"infra/{name}.yaml:2",
    )


def a_catalog(*images: Image, distro: Distro | None = None) -> Catalog:
    return Catalog(distro=distro or a_distro(), images=images)


def a_unit(name: str, version: str = "1.0", content: str = "") -> UnitRef:
    return UnitRef(
        name=name,
        version=version,
        architecture="amd64",
        repository="debian",
        path=f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb",
        size=1000,
        digest=Digest.of(f"{name} {version} {content}".encode()),
    )


def an_index(day: int = 1, suite: str = "trixie") -> Index:
    return Index(
        repository="debian",
        suite=suite,
        date=f"2025-08-{day:02}T10:11:12Z",
        digest=Digest.of(f"{suite} {day}".encode()),
    )


def a_solution(image: ImageId, units: Iterable[UnitRef]) -> Solution:
    own = tuple(units)
    calls = (DpkgCall(action="unpack", units=tuple(unit.key for unit in own)),) if own else ()
    return Solution(image=image, bootstrap=(), calls=calls, units=own)


@dataclass
class FakeSolver:
    """Has every package at the version in `versions`, else at 1.0; `missing` are refused."""

    versions: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    asked: list[Question] = field(default_factory=list)

    def solve(self, question: Question) -> Solution | Refusal:
        self.asked.append(question)
        image = question.image
        if lacking := sorted(self.missing & set(image.packages)):
            faults = tuple(Fault(image.place, f"no package {name}") for name in lacking)
            return Refusal(image=image.id, faults=faults)
        names = sorted(image.packages)
        units = (a_unit(name, self.versions.get(name, "1.0")) for name in names)
        return a_solution(image.id, units)

    def names(self) -> list[str]:
        return [str(question.image.id) for question in self.asked]


def locked(catalog: Catalog, versions: Mapping[str, str] | None = None, day: int = 1) -> Lock:
    """Return a lock of the catalogue, all of it solved."""
    solver = FakeSolver(versions=versions or {})
    certain = [image.id for image in catalog.images]
    return make_lock(catalog, solve_images(catalog, None, certain, solver.solve), [an_index(day)])
