"""Every error that lamina reports: place, fault, remedy, and who must act.

The classes differ by the exit code of the command line, which tells a script who must act.
Only `lamina.cli` prints them and exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong: where it stands, what it is, and what to do about it.

    `place` is `FILE:LINE` where there is one, else the name of what is at fault, or empty.
    """

    place: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        """Print as `place: message`, the remedy indented on a line of its own."""
        head = f"{self.place}: {self.message}" if self.place else self.message
        return f"{head}\n  {self.remedy}" if self.remedy else head


def _by_place(fault: Fault) -> tuple[str, int, Fault]:
    """Sort lines as numbers: line 7 before line 10."""
    file, _, line = fault.place.rpartition(":")
    return (file, int(line), fault) if line.isdecimal() else (fault.place, 0, fault)


class LaminaError(Exception):
    """The root of all errors that a user is told about; holds one fault or several."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *faults: Fault) -> None:
        """Take the faults, in the order in which they are to be shown."""
        super().__init__(*faults)
        self.faults: tuple[Fault, ...] = faults

    @classmethod
    def one(cls, message: str, *, place: str = "", remedy: str = "") -> LaminaError:
        """Return an error of this class with a single fault."""
        return cls(Fault(place, message, remedy))

    @classmethod
    def raise_all(cls, faults: Sequence[Fault]) -> None:
        """Raise one error for all `faults`, sorted by place; return when there are none."""
        if faults:
            raise cls(*sorted(set(faults), key=_by_place))

    def __str__(self) -> str:
        """Print every fault, one after the other."""
        return "\n".join(str(fault) for fault in self.faults)


class UsageError(LaminaError):
    """The command line or a setting is wrong: whoever typed it must act."""

    exit_code = 2


class CatalogError(LaminaError):
    """The catalogue is wrong: its author must act."""

    exit_code = 2


class LockError(LaminaError):
    """The lock is missing, broken, or disagrees with the catalogue: lock again."""

    exit_code = 2


class BuildError(LaminaError):
    """An image, a unit or a root could not be made."""

    exit_code = 1


class StoreError(LaminaError):
    """The store is damaged, full, or not writable."""

    exit_code = 1


class ImageTestError(LaminaError):
    """An image was built, but its own test failed."""

    exit_code = 3


class NetworkError(LaminaError):
    """A mirror or a registry could not be used."""

    exit_code = 4
