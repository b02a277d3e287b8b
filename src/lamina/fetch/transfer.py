"""One file on its way: received, gone on with after a break, checked, named."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import stamina

from lamina.fetch.download import Cause, Download, Failure, Patience, Progress, is_there
from lamina.model.digest import Digest
from lamina.model.url import without_credentials

_CHUNK = 256 * 1024  # bytes
_LARGEST = 4 << 30  # bytes of a file whose size is not known
_POLL = 0.1  # seconds between two looks at a file that another process is fetching

# A retry is no news: what stays a failure is returned as one.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class _TryAgainError(Exception):
    """The mirror may well answer the next time."""


class _GiveUpError(Exception):
    """There is no use in trying again."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One file on its way."""

    download: Download
    client: httpx.AsyncClient
    progress: Progress
    patience: Patience

    async def outcome(self) -> Failure | None:
        """Fetch the file; return why it could not be had, or nothing."""
        try:
            await self._fetch()
        except _GiveUpError as error:
            return Failure(download=self.download, cause=error.cause, message=str(error))
        except _TryAgainError as error:
            return Failure(download=self.download, cause=Cause.MIRROR, message=str(error))
        except OSError as error:
            message = f"cannot be written: {error.strerror or error}"
            return Failure(download=self.download, cause=Cause.DISK, message=message)
        return None

    async def _fetch(self) -> None:
        """Return once the file has its name; fetch a wrong content anew, one time."""
        download = self.download
        async with _part_of(download) as part:
            if part is None:
                return
            await self._complete(part, fresh=False)
            found = await asyncio.to_thread(_digest_of, part)
            if not self._is_right(found, part):
                await self._complete(_emptied(part), fresh=True)
                found = await asyncio.to_thread(_digest_of, part)
            if self._is_right(found, part):
                await asyncio.to_thread(os.fsync, part.fileno())
                _part_path(download).replace(download.path)
                return
            size = part.seek(0, os.SEEK_END)
            _part_path(download).unlink()
        raise _GiveUpError(
            Cause.CONTENT,
            f"expected {download}, found {found} ({size} bytes)",
        )

    def _is_right(self, found: Digest, part: BufferedRandom) -> bool:
        """Tell whether the part is the file, as far as is known what that is."""
        if self.download.digest is not None:
            return found == self.download.digest
        return self.download.size in (None, part.seek(0, os.SEEK_END))

    async def _complete(self, part: BufferedRandom, *, fresh: bool) -> None:
        """Return once the mirror has sent everything, going on after each break."""
        attempts = stamina.retry_context(
            on=_TryAgainError,
            attempts=self.patience.attempts,
            timeout=None,
            wait_initial=self.patience.pause,
            wait_jitter=self.patience.pause,
        )
        async for attempt in attempts:
            with attempt:
                try:
                    await self._receive(part, fresh=fresh)
                except httpx.TimeoutException:
                    raise _TryAgainError("the mirror did not answer in time") from None
                except httpx.TransportError as error:
                    raise _TryAgainError(_reason(error)) from None
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    raise _GiveUpError(Cause.MIRROR, _reason(error)) from None

    async def _receive(self, part: BufferedRandom, *, fresh: bool) -> None:
        """Add what is missing to the part."""
        size = self.download.size
        here = part.seek(0, os.SEEK_END)
        if size is not None and here > size:
            here = _emptied(part).tell()
        if here == size and not fresh:
            return
        if urlsplit(self.download.url).scheme == "file":
            await self._write(_emptied(part), _content_of(self.download))
            return
        headers = {"Range": f"bytes={here}-"} if here else {}
        if fresh:
            headers["Cache-Control"] = "no-cache"  # the wrong content may be a proxy's
        async with self.client.stream("GET", self.download.url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                _emptied(part)
            _check_status(response)
            if self.download.digest is None:
                _check_first_sight(response, self.download.url)
            if _start_of(response) != here:
                _emptied(part)
            await self._write(part, self._steady(response))
            here = part.tell()
            if size is not None and here < size and "content-length" not in response.headers:
                # Where no length is announced, a broken connection looks like the end.
                raise _TryAgainError(f"the body ended after {here} of {size} bytes")

    async def _write(self, part: BufferedRandom, chunks: AsyncIterator[bytes]) -> None:
        size = self.download.size
        largest = _LARGEST if size is None else size
        async for chunk in chunks:
            part.write(chunk)
            here = part.tell()
            self.progress(self.download, min(here, largest))
            if here > largest and size is None:
                raise _GiveUpError(Cause.CONTENT, f"the file has more than {_LARGEST >> 30} GiB")
            if here > largest:
                return  # it is another file: more of it would only fill the disk

    async def _steady(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """Yield the body as it comes, unless it comes too slowly to be waited for."""
        began, received = time.monotonic(), 0
        async for chunk in response.aiter_raw():
            yield chunk
            received += len(chunk)
            passed = time.monotonic() - began
            if passed < self.patience.window:
                continue
            if received < self.patience.pace * passed:
                raise _TryAgainError(f"the mirror sent only {received} bytes in {passed:.0f} s")
            began, received = time.monotonic(), 0


@asynccontextmanager
async def _part_of(download: Download) -> AsyncIterator[BufferedRandom | None]:
    """Yield the part, open and ours alone; or nothing, if somebody else has fetched the file."""
    path = _part_path(download)
    path.parent.mkdir(parents=True, exist_ok=True)
    while not is_there(download):
        with path.open("a+b") as part:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(_POLL)
                continue
            if path.exists() and os.path.samestat(path.stat(), os.fstat(part.fileno())):
                try:
                    yield part
                finally:
                    part.flush()
                    if path.exists() and not path.stat().st_size:
                        path.unlink()  # nothing that another run could go on from
                return
    yield None


def _part_path(download: Download) -> Path:
    return download.path.with_name(f"{download.path.name}.part")


def _emptied(part: BufferedRandom) -> BufferedRandom:
    part.seek(0)  # first: what is written is added at the end, yet counted from here
    part.truncate()
    return part


def _digest_of(part: BufferedRandom) -> Digest:
    part.flush()
    part.seek(0)
    return Digest(hashlib.file_digest(part, "sha256").hexdigest())


async def _content_of(download: Download) -> AsyncIterator[bytes]:
    """Yield the content behind a `file:` address."""
    try:
        file = Path(unquote(urlsplit(download.url).path)).open("rb")  # noqa: SIM115
    except FileNotFoundError:
        raise _GiveUpError(Cause.MISSING, "there is no such file") from None
    except OSError as error:
        raise _GiveUpError(Cause.MIRROR, f"cannot be read: {error.strerror}") from None
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
            await asyncio.sleep(0)  # the others' turn, and an interrupt's


def _check_status(response: httpx.Response) -> None:
    """Raise unless the response brings the file, by whether it may do so later."""
    if response.is_success:
        return
    said = f"the mirror answered {response.status_code} {response.reason_phrase}".rstrip()
    status = response.status_code
    if response.is_server_error or status in (
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE,  # it will be asked for all of it
        httpx.codes.TOO_MANY_REQUESTS,
    ):
        raise _TryAgainError(said)
    gone = status in (httpx.codes.NOT_FOUND, httpx.codes.GONE)
    raise _GiveUpError(Cause.MISSING if gone else Cause.MIRROR, said)


def _check_first_sight(response: httpx.Response, asked: str) -> None:
    """Raise where nothing could tell a broken or exchanged answer from the file."""
    if urlsplit(asked).scheme == "https" and response.url.scheme != "https":
        raise _GiveUpError(Cause.MIRROR, f"it leads to {response.url.host} without https")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _GiveUpError(Cause.MIRROR, "the mirror compresses what it sends")
    chunked = "chunked" in response.headers.get("transfer-encoding", "")
    if "content-length" not in response.headers and not chunked:
        raise _GiveUpError(Cause.MIRROR, "the mirror does not say how long the file is")


def _start_of(response: httpx.Response) -> int:
    """Return at which byte of the file the body starts; -1 when the mirror does not say so."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0
    given = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    return int(given) if given.isdecimal() else -1


def _reason(error: Exception) -> str:
    return without_credentials(str(error)) or type(error).__name__
