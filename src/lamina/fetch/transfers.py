"""Several files on their way at once, from mirrors of which some may fail."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from lamina.fetch.download import Cause, Download, Failure, Patience, Progress
from lamina.fetch.transfer import Transfer

_HOPELESS = 8  # files in a row for which a mirror failed
_NOT_TRIED = "not tried: the mirror failed for the files before it"


def transfer_all(
    downloads: Sequence[Download], jobs: int, progress: Progress, patience: Patience
) -> list[Failure]:
    """Fetch files, `jobs` at a time; return those that failed."""
    return asyncio.run(_transfer_all(downloads, jobs, progress, patience))


async def _transfer_all(
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
