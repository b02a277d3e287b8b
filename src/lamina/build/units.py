"""Units in the store: found intact, or fetched and made, several at once in other processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from threading import Event, Lock
from types import TracebackType

from lamina.backends.deb.unit import make_unit
from lamina.engine.sandbox import Stopped
from lamina.engine.unit import UnitFacts, read_facts
from lamina.errors import LaminaError
from lamina.fetch import Download, fetch_all, fetch_error
from lamina.mirrors import Mirrors
from lamina.model.event import Downloaded, Listener, Note, UnitsMade
from lamina.model.lock import UnitRef
from lamina.store.integrity import check_download
from lamina.store.store import Store

_POLL = 0.2  # seconds between two looks at whether to stop
_PR_SET_PDEATHSIG = 1


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

        Raises `NetworkError` when packages cannot be fetched.
        """
        refs = list({ref.key: ref for ref in wanted}.values())
        missing = [ref for ref in refs if not self._intact(ref)]
        if not missing:
            return
        self.fetch(missing)
        self._pool = ProcessPoolExecutor(
            max_workers=self._jobs,
            # The server forks before there are threads, and its children end with it.
            mp_context=multiprocessing.get_context("forkserver"),
            initializer=_end_with_parent,
        )
        for ref in missing:
            future = self._pool.submit(_make, self._store, ref)
            future.add_done_callback(lambda _done: self._count(len(missing)))
            self._making[ref.key] = future

    def fetch(self, refs: Collection[UnitRef]) -> None:
        """Have the packages themselves in the store, whole; raises `NetworkError`."""
        for ref in refs:
            path = self._store.download_path(ref.digest)
            if path.exists() and not check_download(path, ref.digest, ref.size):
                path.unlink()
                self._listener(Note(message=f"package {ref.key} was damaged in the store"))
        lacking = [ref for ref in refs if not self._store.download_path(ref.digest).exists()]
        if not lacking:
            return
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

        if failures := fetch_all(downloads, on_progress=progress):
            raise fetch_error(failures)

    def facts(self, refs: Iterable[UnitRef], stop: Event) -> Mapping[str, UnitFacts]:
        """Wait for units and return their facts by key; raises `Stopped` once `stop` is set."""
        found = {}
        for ref in refs:
            future = self._making.get(ref.key)
            while future is not None and not stop.is_set():
                try:
                    future.result(timeout=_POLL)
                    break
                except NotYet:
                    continue
            if stop.is_set():
                raise Stopped
            if ref.key not in self._facts:
                self._facts[ref.key] = read_facts(self._store.unit_path(ref.digest))
            found[ref.key] = self._facts[ref.key]
        return found

    def _intact(self, ref: UnitRef) -> bool:
        """Whether the unit is there as it was made; what is damaged is taken away."""
        folder = self._store.unit_path(ref.digest)
        if not folder.exists():
            return False
        if self._store.unit_is_intact(ref.digest):
            return True
        self._listener(Note(message=f"unit {ref.key} was damaged in the store: it is made again"))
        self._store.discard_unit(ref.digest)
        return False

    def _count(self, total: int) -> None:
        with self._lock:
            self._made += 1
            self._listener(UnitsMade(done=self._made, total=total))


def _end_with_parent() -> None:
    """Let this process end when its parent does, and leave interrupts to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _make(store: Store, ref: UnitRef) -> None:
    """Make one unit in the store, unless another process has meanwhile."""
    package = store.download_path(ref.digest)
    if not check_download(package, ref.digest, ref.size):
        raise LaminaError.one(
            f"package {ref.key} was damaged in the store while it was in use",
            place=str(package),
            remedy="check the disk, and build again: it will be fetched anew",
        )
    with store.exclusive(f"unit-{ref.digest.hex}"), store.work_folder() as work:
        if store.unit_path(ref.digest).exists():
            return
        folder = work / "unit"
        folder.mkdir()
        try:
            make_unit(package, folder)
            store.keep_unit(folder, ref.digest)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
