"""What is wrong with a configuration, or in the way of it: all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong, and where: a key of config.json, or a path."""

    place: str
    message: str

    def __str__(self) -> str:
        """Print on one line, whatever a name holds."""
        line = f"{self.place}: {self.message}" if self.place else self.message
        return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)


class ContractError(Exception):
    """Nothing was written, or a write failed: whoever wrote config.json must act."""

    def __init__(self, *faults: Fault) -> None:
        """Take the faults, in the order in which they are to be shown."""
        super().__init__(*faults)
        self.faults: tuple[Fault, ...] = faults

    @classmethod
    def raise_all(cls, faults: Sequence[Fault]) -> None:
        """Raise one error for all `faults`; return when there are none."""
        if faults:
            raise cls(*dict.fromkeys(faults))
