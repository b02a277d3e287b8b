"""What stays and what goes when one list of things takes the place of another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnover(Generic[T]):
    """The things of two lists, each once: those of both and the new ones in the new list's order,
    the gone ones in the old list's.
    """

    kept: tuple[T, ...]
    new: tuple[T, ...]
    gone: tuple[T, ...]

    @property
    def nothing(self) -> bool:
        """Whether both lists hold the same things."""
        return not (self.new or self.gone)


def turnover(old: Iterable[T], new: Iterable[T], identity: Callable[[T], Hashable]) -> Turnover[T]:
    """Return what became of the things of `old` in `new`; `identity` tells which are the same."""
    before = {identity(thing): thing for thing in old}
    after = {identity(thing): thing for thing in new}
    return Turnover(
        kept=tuple(thing for key, thing in after.items() if key in before),
        new=tuple(thing for key, thing in after.items() if key not in before),
        gone=tuple(thing for key, thing in before.items() if key not in after),
    )
