"""Signals by the names that OCI's image configuration has for them."""

from __future__ import annotations

import signal


def signal_number(name: str) -> int:
    """Return the number of `SIGTERM`, `SIGRTMIN+3`; raise `ValueError` for what is no signal."""
    for sign in ("+", "-"):
        base, found, offset = name.partition(sign)
        if found:
            number = signal_number(base) + int(f"{sign}{offset}")
            if not signal.SIGRTMIN <= number <= signal.SIGRTMAX:
                raise ValueError(f"'{name}' is no signal")
            return number
    try:
        return signal.Signals[name].value
    except KeyError:
        raise ValueError(f"'{name}' is no signal") from None


def signal_name(number: int) -> str:
    """Return the name of a signal; `signal 37` for one that has none of its own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
