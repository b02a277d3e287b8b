"""An object of config.json, read key by key; every fault is noted and the reading goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kolla_contract.faults import Fault

T = TypeVar("T")

_NAMES = {str: "a text", bool: "true or false", list: "a list", dict: "an object"}


class WrongError(ValueError):
    """A value that does not follow the rule of its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One object, and where it stands; `faults` and `notes` are those of the whole file."""

    raw: Mapping[str, Any]
    place: str = ""
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)

    def text(self, key: str, rule: Callable[[str], T], *, required: bool = True) -> T | None:
        """Return the text under `key` as `rule` reads it; None where it is missing or wrong."""
        value = self._value(key, str, required=required)
        return None if value is None else self._ruled(self._at(key), value, rule)

    def flag(self, key: str) -> bool:
        """Return whether `key` is there and true."""
        return bool(self._value(key, bool, required=False))

    def texts(self, key: str, rule: Callable[[str], T]) -> tuple[T, ...]:
        """Return the texts of the list under `key` as `rule` reads them, wrong ones left out."""
        ruled = (self._ruled(place, text, rule) for place, text in self._items(key, str))
        return tuple(value for value in ruled if value is not None)

    def tables(self, key: str) -> Iterator[Table]:
        """Yield the objects of the list under `key`."""
        for place, raw in self._items(key, dict):
            yield Table(raw=raw, place=place, faults=self.faults, notes=self.notes)

    def fault(self, message: str) -> None:
        """Note that the object as a whole is wrong."""
        self.faults.append(Fault(self.place, message))

    def ignore_others(self, known: Iterable[str]) -> None:
        """Note every key that is not `known`: a newer deployment may know more of them."""
        for key in sorted(self.raw.keys() - set(known)):
            self.notes.append(Fault(self._at(key), "an unknown key, ignored"))

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _value(self, key: str, kind: type[T], *, required: bool) -> T | None:
        if key in self.raw:
            return self._typed(self._at(key), self.raw[key], kind)
        if required:
            self.faults.append(Fault(self._at(key), "is missing"))
        return None

    def _items(self, key: str, kind: type[T]) -> Iterator[tuple[str, T]]:
        for number, raw in enumerate(self._value(key, list, required=False) or ()):
            place = f"{self._at(key)}[{number}]"
            item = self._typed(place, raw, kind)
            if item is not None:
                yield place, item

    def _typed(self, place: str, value: object, kind: type[T]) -> T | None:
        if isinstance(value, kind):
            return value
        self.faults.append(Fault(place, f"is not {_NAMES[kind]}"))
        return None

    def _ruled(self, place: str, text: str, rule: Callable[[str], T]) -> T | None:
        try:
            # Half of a surrogate pair is no character, and would become some other byte in a name.
            text.encode()
            return rule(text)
        except (WrongError, UnicodeEncodeError, re.error) as error:
            message = str(error) if isinstance(error, WrongError) else f"cannot be read: {error}"
            self.faults.append(Fault(place, message))
            return None
