"""apt's choice of packages for each image, made by apt in the distribution's own root.

The program at the other end is `solver_program`, which knows nothing of lamina; what it sends is
turned into values here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from lamina import system
from lamina.backends.deb.solver_root import HOME, PROGRAM, SolverRoot
from lamina.errors import BuildError, Fault
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import Image, ImageId
from lamina.model.lock import DpkgCall, UnitRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What apt is asked for one image."""

    image: Image
    installed: tuple[UnitRef, ...] | None  # in the parent; None: there is no parent
    repositories: tuple[str, ...]  # by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """apt's choice for one image, as the lock keeps it."""

    image: ImageId
    bootstrap: tuple[str, ...]
    calls: tuple[DpkgCall, ...]
    units: tuple[UnitRef, ...]  # the image's own, by key


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why apt has no choice for one image."""

    image: ImageId
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """apt, ready to be asked."""

    program: system.Conversation

    def solve(self, question: Question) -> Solution | Refusal:
        """Return apt's choice, or every reason why there is none.

        Raises `BuildError` when apt itself fails.
        """
        sent = {
            "installed": None if question.installed is None else _sent(question.installed),
            "packages": sorted(question.image.packages),
            "repositories": sorted(question.repositories),
        }
        answer = _ANSWER.validate_json(self.program.ask(canonical_json(sent).decode()))
        if isinstance(answer, _Failed):
            raise BuildError.one(
                f"apt failed: {answer.failed}", place=question.image.place or str(question.image.id)
            )
        if isinstance(answer, _Refused):
            faults = [reason.fault(question.image) for reason in answer.refused]
            return Refusal(image=question.image.id, faults=tuple(dict.fromkeys(faults)))
        return answer.solution(question.image.id)


@contextmanager
def running_solver(root: SolverRoot) -> Iterator[Solver]:
    """Start apt in its root, for as long as there are questions."""
    command = ["env", f"PYTHONPATH=/{HOME}", "python3", "-B", "-m", PROGRAM]
    with system.conversation(root.inside(command)) as program:
        yield Solver(program=program)


def _sent(units: Iterable[UnitRef]) -> list[dict[str, str]]:
    return [{"name": u.name, "version": u.version, "sha256": u.digest.hex} for u in units]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the index says of a package."""

    name: str
    version: str
    architecture: str
    repository: str
    path: str
    size: int
    sha256: str

    def unit(self) -> UnitRef:
        fields = asdict(self)
        return UnitRef(digest=Digest(fields.pop("sha256")), **fields)


@dataclass(frozen=True, slots=True)
class _Unknown:
    kind: Literal["unknown"]
    name: str
    near: list[str]

    def fault(self, image: Image) -> Fault:
        remedy = (
            f"did you mean {_either(self.near)}?"
            if self.near
            else "is it in a repository that the image does not use?"
        )
        return Fault(image.place, f"{image.id}: no repository has the package {self.name}", remedy)


@dataclass(frozen=True, slots=True)
class _Virtual:
    kind: Literal["virtual"]
    name: str
    providers: list[str]

    def fault(self, image: Image) -> Fault:
        return Fault(
            image.place,
            f"{image.id}: {self.name} is a virtual package that several packages provide",
            f"name one of them: {_either(self.providers)}",
        )


@dataclass(frozen=True, slots=True)
class _Broken:
    kind: Literal["broken"]
    reason: str

    def fault(self, image: Image) -> Fault:
        return Fault(
            image.place,
            f"{image.id}: its packages cannot be installed together: {self.reason}",
            "change the image's packages, or its parent",
        )


@dataclass(frozen=True, slots=True)
class _Parent:
    kind: Literal["parent"]
    name: str
    installed: str
    after: str | None
    because: list[str]

    def fault(self, image: Image) -> Fault:
        change = f"replace {self.name} {self.installed} by {self.after}"
        if self.after is None:
            change = f"remove {self.name} {self.installed}"
        because = f" ({'; '.join(self.because)})" if self.because else ""
        return Fault(
            image.place,
            f"{image.id}: apt would {change}, which is part of the parent {image.parent}{because}",
            f"lamina lock --update {image.parent}+",
        )


@dataclass(frozen=True, slots=True)
class _Lost:
    kind: Literal["lost"]
    name: str
    version: str

    def fault(self, image: Image) -> Fault:
        return Fault(
            image.place,
            f"{image.id}: the indices no longer have {self.name} {self.version}, "
            f"which is part of the parent {image.parent}",
            f"lamina lock --update {image.parent}+",
        )


_Reason = Annotated[_Unknown | _Virtual | _Broken | _Parent | _Lost, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class _Solved:
    bootstrap: list[_Entry]
    actions: list[tuple[Literal["unpack", "configure"], str]]
    units: list[_Entry]

    def solution(self, image: ImageId) -> Solution:
        bootstrap = [entry.unit() for entry in self.bootstrap]
        units = [entry.unit() for entry in self.units]
        keys = {unit.name: unit.key for unit in units}
        calls = (
            DpkgCall(action=action, units=tuple(keys[name] for _, name in steps))
            for action, steps in groupby(self.actions, key=lambda step: step[0])
        )
        return Solution(
            image=image,
            bootstrap=tuple(unit.key for unit in bootstrap),
            calls=tuple(calls),
            units=tuple(sorted([*bootstrap, *units], key=lambda unit: unit.key)),
        )


@dataclass(frozen=True, slots=True)
class _Refused:
    refused: list[_Reason]


@dataclass(frozen=True, slots=True)
class _Failed:
    failed: str


# Deferred: most runs ask no solver, and the forms take a while to make.
_ANSWER: TypeAdapter[_Solved | _Refused | _Failed] = TypeAdapter(
    _Solved | _Refused | _Failed, config=ConfigDict(defer_build=True)
)


def _either(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
