"""The door for downloads: files come in whole and with the digest that the lock has, or not at all.

A file gets its name only once its size and digest are right. What came in before a fault stays
beside it as `NAME.part`, and the next attempt, or the next run, goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable

from lamina.fetch.download import (
    REMEDIES,
    Cause,
    Download,
    Failure,
    Patience,
    Progress,
    fetch_error,
    is_there,
)

__all__ = [
    "REMEDIES",
    "Cause",
    "Download",
    "Failure",
    "Patience",
    "Progress",
    "fetch_all",
    "fetch_error",
]

_PATIENCE = Patience()


def fetch_all(
    downloads: Iterable[Download],
    *,
    jobs: int = 8,
    on_progress: Progress | None = None,
    patience: Patience = _PATIENCE,
) -> tuple[Failure, ...]:
    """Fetch every file that is not there yet, `jobs` at a time; return those that failed.

    A file with its final name and the right size counts as fetched: it was checked before it got
    that name. A mirror that fails for file after file is not asked for further ones.
    Proxies are taken from the environment. An interrupt ends it at once and leaves nothing but
    `.part` files.
    """
    wanted = {download.path: download for download in downloads}
    missing = [download for download in wanted.values() if not is_there(download)]
    if not missing:
        return ()
    # Loaded here, because an HTTP client takes a third of a second and most runs fetch nothing.
    from lamina.fetch.transfers import transfer_all

    failures = transfer_all(missing, jobs, on_progress or _unseen, patience)
    return tuple(sorted(failures, key=lambda failure: str(failure.download.path)))


def _unseen(download: Download, here: int) -> None:
    """Take the progress where nobody wants it."""
