"""The door for downloads: files come in whole and with the digest that the lock has, or not at all.

A file gets its name only once its size and digest are right. What came in before a fault stays
beside it as `NAME.part`, and the next attempt, or the next run, goes on from there.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import httpx

from lamina.fetch.download import Cause, Download, Failure, Patience, Progress, fetch_error
from lamina.fetch.transfer import Transfer, is_there

__all__ = ["Cause", "Download", "Failure", "Patience", "Progress", "fetch_all", "fetch_error"]

_PATIENCE = Patience()
_HOPELESS = 8  # files in a row for which a mirror failed
_NOT_TRIED = "not tried: the mirror failed for the files before it"


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
    failures = asyncio.run(_fetch(missing, jobs, on_progress or _unseen, patience))
    return tuple(sorted(failures, key=lambda failure: str(failure.download.path)))


async def _fetch(
    downloads: Sequence[Download], jobs: int, progress: Progress, patience: Patience
) -> list[Failure]:
    turns = asyncio.Semaphore(jobs)
    failed_in_a_row: Counter[str] = Counter()  # by host
    async with httpx.AsyncClient(
        headers={"Accept-Encoding": "identity"},  # or the bytes are not those of the digest
        limits=httpx.Limits(max_connections=jobs, max_keepalive_connections=jobs),
        timeout=httpx.Timeout(patience.silence, connect=patience.connect, pool=None),
        verify=ssl.create_default_context(),  # what this system trusts, not httpx's own list
        follow_redirects=True,
    ) as client:

        async def outcome(download: Download) -> Failure | None:
            async with turns:
                if failed_in_a_row[_host(download)] >= _HOPELESS:
                    return Failure(download=download, cause=Cause.MIRROR, message=_NOT_TRIED)
                failure = await Transfer(
                    download=download, client=client, progress=progress, patience=patience
                ).outcome()
            if failure is None:
                failed_in_a_row[_host(download)] = 0
            elif failure.cause is Cause.MIRROR:
                failed_in_a_row[_host(download)] += 1
            return failure

        outcomes = await asyncio.gather(*map(outcome, downloads))
    return [failure for failure in outcomes if failure is not None]


def _host(download: Download) -> str:
    return urlsplit(download.url).netloc


def _unseen(download: Download, here: int) -> None:
    """Take the progress where nobody wants it."""
