"""Units in the store: found intact, or fetched and made, several at once in other processes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType

from lamina.backends.deb.unit import make_unit
from lamina.engine.sandbox import Stopped
from lamina.engine.unit import UnitFacts, read_facts
from lamina.errors import BuildError, Fault, LaminaError, StoreError
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
        self, store: Store, mirrors: Callable[[], Mirrors], *, jobs: int, listener: Listener
    ) -> None:
        """Take units from `store`, packages from `mirrors()`; make `jobs` units at a time."""
        self._store = store
        self._mirrors = mirrors
        self._listener = listener
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self._making: dict[str, Future[None]] = {}
        self._failures: dict[Path, Failure] = {}
        self._facts: dict[str, UnitFacts] = {}
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

    def supply(self, wanted: Iterable[UnitRef]) -> None:
        """Check the units that are there, fetch and begin to make the others, in this order.

        A package that cannot be fetched is an error of who asks for its facts.
        """
        refs = list({ref.key: ref for ref in wanted}.values())
        missing = [ref for ref in refs if not self._store.unit_is_intact(ref.digest)]
        self._discard([ref for ref in missing if self._store.unit_path(ref.digest).exists()])
        self._failures |= {failure.download.path: failure for failure in self._fetch(missing)}
        present = [
            ref for ref in missing if self._store.download_path(ref.digest) not in self._failures
        ]
        for ref in present:
            future = self._workers().submit(_make, self._store, ref)
            future.add_done_callback(lambda _done: self._count(len(present)))
            self._making[ref.key] = future

    def fetch(self, refs: Collection[UnitRef]) -> None:
        """Have the packages themselves in the store, whole; raises `NetworkError`."""
        if failures := self._fetch(refs):
            raise _fetch_error(failures)

    def facts(self, refs: Iterable[UnitRef], stop: Event) -> Mapping[str, UnitFacts]:
        """Wait for units and return their facts by key.

        Raises `Stopped` once `stop` is set, `NetworkError` for packages that cannot be fetched,
        `BuildError` for one that cannot be unpacked, `StoreError` when the disk refuses.
        """
        wanted = list(refs)
        paths = [self._store.download_path(ref.digest) for ref in wanted]
        if failures := [self._failures[path] for path in paths if path in self._failures]:
            raise _fetch_error(failures)
        return {ref.key: self._facts_of(ref, stop) for ref in wanted}

    def _facts_of(self, ref: UnitRef, stop: Event) -> UnitFacts:
        future = self._making.get(ref.key)
        while future is not None and not stop.is_set():
            try:
                future.result(timeout=_POLL)
                break
            except NotYet:
                continue
            except BrokenProcessPool:
                raise BuildError.one(
                    "a process that unpacks packages was killed",
                    place=ref.key,
                    remedy="is there enough memory? build again: what is finished stays",
                ) from None
        if stop.is_set():
            raise Stopped
        if ref.key not in self._facts:
            try:
                self._facts[ref.key] = read_facts(self._store.unit_path(ref.digest))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise _damaged(f"unit {ref.key}", self._store.unit_path(ref.digest)) from error
        return self._facts[ref.key]

    def _fetch(self, refs: Collection[UnitRef]) -> tuple[Failure, ...]:
        """Have the packages in the store, whole, and return those that could not be had."""
        damaged = [ref for ref in refs if self._is_damaged(ref)]
        if damaged:
            self._listener(Note(message=_told("package", damaged, "fetched")))
        lacking = [ref for ref in refs if not self._store.download_path(ref.digest).exists()]
        if not lacking:
            return ()
        mirrors = self._mirrors()
        downloads = [
            Download(
                url=mirrors.url(ref.repository, ref.path),
                digest=ref.digest,
                size=ref.size,
                path=self._store.download_path(ref.digest),
            )
            for ref in lacking
        ]
        total = sum(download.size for download in downloads)
        arrived: dict[Path, int] = {}

        def progress(download: Download, size: int) -> None:
            arrived[download.path] = size
            self._listener(Downloaded(done=sum(arrived.values()), total=total))

        return fetch_all(downloads, on_progress=progress)

    def _is_damaged(self, ref: UnitRef) -> bool:
        """Tell whether the package is there with another content; it is removed then."""
        path = self._store.download_path(ref.digest)
        if not path.exists() or check_download(path, ref.digest, ref.size):
            return False
        path.unlink(missing_ok=True)
        return True

    def _discard(self, changed: Collection[UnitRef]) -> None:
        """Take away units that are not as they were made."""
        if changed:
            self._listener(Note(message=_told("unit", changed, "made")))
        for ref in changed:
            with self._store.exclusive(_lock_name(ref)):
                if not self._store.unit_is_intact(ref.digest):
                    self._store.discard_unit(ref.digest)

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

    def _count(self, total: int) -> None:
        with self._lock:
            self._made += 1
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


def _make(store: Store, ref: UnitRef) -> None:
    """Make one unit in the store, unless another process has meanwhile."""
    package = store.download_path(ref.digest)
    if not check_download(package, ref.digest, ref.size):
        raise _damaged(f"package {ref.key}", package)
    with store.exclusive(_lock_name(ref)), store.work_folder() as work:
        if store.unit_is_intact(ref.digest):
            return
        store.discard_unit(ref.digest)
        folder = work / "unit"
        folder.mkdir()
        try:
            make_unit(package, folder)
            store.keep_unit(folder, ref.digest)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _lock_name(ref: UnitRef) -> str:
    return f"unit-{ref.digest.hex}"


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


def _damaged(what: str, place: Path) -> StoreError:
    return StoreError(
        Fault(
            str(place),
            f"{what} was damaged in the store while it was in use",
            "check the disk, and build again: it will be made or fetched anew",
        )
    )
