"""The end of a log."""

from __future__ import annotations

from pathlib import Path

_TAIL = 20  # lines
_TAIL_BYTES = 64 * 1024


def log_tail(path: Path) -> tuple[str, ...]:
    """Return the last lines of a log; none where it cannot be read."""
    try:
        with path.open("rb") as log:
            log.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ()
    # Terminal controls of a build's output must not reach the terminal.
    shown = ("".join(letter for letter in line if letter.isprintable()) for line in lines)
    return tuple(shown)[-_TAIL:]
