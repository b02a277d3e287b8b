"""Units in the store: found intact, or fetched and made, several at once in other processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType

from lamina.backends.kinds import BACKENDS
from lamina.build.making import batches, find_unit, make_units, unit_lock
from lamina.engine.sandbox import Stopped
from lamina.engine.unit import UnitFacts, Unpacking
from lamina.errors import BuildError, Fault, LaminaError
from lamina.fetch import Download, Failure, fetch_all, fetch_error
from lamina.mirrors import Mirrors
from lamina.model.event import Downloaded, Listener, Note, UnitsMade
from lamina.model.lock import UnitRef
from lamina.store.integrity import check_download
from lamina.store.store import Store

_POLL = 0.2  # seconds between two looks at whether to stop
_NAMED = 3  # of many units or packages with one fault, so many are named


class Units:
    """The units of one build: a context manager that ends its processes when it is left."""

    def __init__(
        self,
        store: Store,
        mirrors: Callable[[Collection[str]], Mirrors],
        *,
        jobs: int,
        listener: Listener,
    ) -> None:
        """Take units from `store`, files from the `mirrors` of repositories and places.

        Made are `jobs` units at a time.
        """
        self._store = store
        self._mirrors = mirrors
        self._listener = listener
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self._making: dict[Unpacking, Future[Mapping[str, UnitFacts | LaminaError]]] = {}
        self._failures: dict[Path, Failure] = {}
        self._facts: dict[Unpacking, UnitFacts] = {}
        self._made = 0
        self._lock = Lock()

    def __enter__(self) -> Units:
        """Return the units."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes; what they had not begun is not made."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def supply(self, wanted: Iterable[Unpacking]) -> None:
        """Check the units that are there, fetch and begin to make the others, in this order.

        A package that cannot be fetched is an error of who asks for its facts.
        """
        asked = list(dict.fromkeys(wanted))
        for each in asked:
            if each not in self._facts and (found := find_unit(self._store, each)):
                self._facts[each] = found
        missing = [each for each in asked if each not in self._facts]
        self._discard(missing)
        refs = list({each.ref.key: each.ref for each in missing}.values())
        self._failures |= {failure.download.path: failure for failure in self._fetch(refs)}
        present = [
            each
            for each in missing
            if self._store.download_path(each.ref.digest) not in self._failures
        ]
        work = list(batches(present))
        total = sum(map(len, work))
        for batch in work:
            future = self._workers().submit(make_units, self._store, batch)
            future.add_done_callback(partial(self._count, len(batch), total))
            self._making |= dict.fromkeys(batch, future)

    def fetch(self, refs: Collection[UnitRef]) -> None:
        """Have the packages themselves in the store, whole; raises `NetworkError`."""
        if failures := self._fetch(refs):
            raise _fetch_error(failures)

    def facts(self, wanted: Iterable[Unpacking], stop: Event) -> Mapping[str, UnitFacts]:
        """Wait for units and return their facts by key.

        Raises `Stopped` once `stop` is set, `NetworkError` for packages that cannot be fetched,
        `BuildError` for one that cannot be unpacked, `StoreError` when the disk refuses.
        """
        asked = list(wanted)
        paths = [self._store.download_path(each.ref.digest) for each in asked]
        if failures := [self._failures[path] for path in paths if path in self._failures]:
            raise _fetch_error(failures)
        return {each.ref.key: self._facts_of(each, stop) for each in asked}

    def _facts_of(self, wanted: Unpacking, stop: Event) -> UnitFacts:
        future = self._making.get(wanted)
        while future is not None and not stop.is_set():
            try:
                result = future.result(timeout=_POLL)[wanted.ref.key]
            except NotYet:
                continue
            except BrokenProcessPool:
                raise BuildError.one(
                    "a process that unpacks packages was killed",
                    place=wanted.ref.key,
                    remedy="is there enough memory? build again: what is finished stays",
                ) from None
            if isinstance(result, LaminaError):
                raise result
            self._facts[wanted] = result
            break
        if stop.is_set():
            raise Stopped
        return self._facts[wanted]

    def _fetch(self, refs: Collection[UnitRef]) -> tuple[Failure, ...]:
        """Have the packages in the store, whole, and return those that could not be had."""
        damaged = [ref for ref in refs if self._is_damaged(ref)]
        if damaged:
            self._listener(Note(message=_told("package", damaged, "fetched")))
        lacking = [ref for ref in refs if not self._store.download_path(ref.digest).exists()]
        if not lacking:
            return ()
        mirrors = self._mirrors({ref.repository for ref in lacking})
        downloads = [
            Download(
                url=mirrors.url(ref.repository, ref.path),
                digest=ref.digest,
                size=ref.size,
                path=self._store.download_path(ref.digest),
                remedies=BACKENDS[ref.kind].remedies(ref),
            )
            for ref in lacking
        ]
        expected = {download.path: download.size or 0 for download in downloads}
        arrived: dict[Path, int] = {}

        def progress(download: Download, size: int) -> None:
            arrived[download.path] = size
            # What nobody has told the size of is as large as what has come of it.
            expected[download.path] = max(size, expected[download.path])
            total = sum(expected.values())
            self._listener(Downloaded(done=sum(arrived.values()), total=total))

        return fetch_all(downloads, on_progress=progress)

    def _is_damaged(self, ref: UnitRef) -> bool:
        """Tell whether the package is there with another content; it is removed then."""
        path = self._store.download_path(ref.digest)
        if not path.exists() or check_download(path, ref.digest, ref.size):
            return False
        path.unlink(missing_ok=True)
        return True

    def _discard(self, missing: Collection[Unpacking]) -> None:
        """Take away units that are not as they were made."""
        digests = {digest: each.ref for each in missing for digest in each.digests}
        changed = {
            digest: ref
            for digest, ref in digests.items()
            if self._store.unit_path(digest).exists() and not self._store.unit_is_intact(digest)
        }
        if changed:
            refs = {ref.key: ref for ref in changed.values()}
            self._listener(Note(message=_told("unit", refs.values(), "made")))
        for digest, ref in changed.items():
            with self._store.exclusive(unit_lock(ref)):
                if not self._store.unit_is_intact(digest):
                    self._store.discard_unit(digest)

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            _start_server()
            self._pool = ProcessPoolExecutor(
                max_workers=self._jobs,
                # Forked by a process without threads, which lamina itself is not.
                mp_context=multiprocessing.get_context("forkserver"),
                initializer=_end_with_lamina,
            )
        return self._pool

    def _count(self, number: int, total: int, _done: object) -> None:
        with self._lock:
            self._made += number
            self._listener(UnitsMade(done=self._made, total=total))


def _start_server() -> None:
    """Start the process that forks the workers, all of them deaf to the terminal's interrupts."""
    forkserver.set_forkserver_preload([__name__])  # loaded once, not by each worker
    resource_tracker.ensure_running()  # it would change the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_lamina() -> None:
    """Let this process end with lamina, even a lamina that is killed.

    The server that forked it does not see to that: it lives as long as one of its children.
    """
    lamina = multiprocessing.parent_process()
    if lamina is not None:
        Thread(target=_follow, args=(lamina,), daemon=True).start()


def _follow(process: BaseProcess) -> None:
    process.join()
    os._exit(1)


def _told(noun: str, refs: Collection[UnitRef], healed: str) -> str:
    """Return one message for all units or packages that were found changed."""
    keys = sorted(ref.key for ref in refs)
    if len(keys) == 1:
        return f"{noun} {keys[0]} was changed in the store: it is {healed} again"
    names = ", ".join(keys[:_NAMED]) + f" and {len(keys) - _NAMED} more" * (len(keys) > _NAMED)
    return f"{noun}s {names} were changed in the store: they are {healed} again"


def _fetch_error(failures: Collection[Failure]) -> LaminaError:
    """Return one error for all failures; of many, the first ones speak for all."""
    error = fetch_error(list(failures)[:_NAMED])
    if len(failures) <= _NAMED:
        return error
    rest = Fault("", f"and {len(failures) - _NAMED} more packages could not be fetched")
    return type(error)(*error.faults, rest)
