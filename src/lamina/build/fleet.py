"""Building many images: each as soon as its parent is done, a failure blocks only descendants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from threading import Event as Flag
from threading import Lock

from lamina.build.damage import changed_delta
from lamina.build.image import Job, build_image, stack_of
from lamina.build.logbook import Logbook
from lamina.build.making import unpackings
from lamina.build.proof import prove, tests_digest
from lamina.build.schedule import estimate, ready, remaining
from lamina.build.units import Units
from lamina.engine.sandbox import Stopped
from lamina.engine.stack import EMPTY, Stack
from lamina.engine.unit import Unpacking
from lamina.errors import (
    BuildError,
    Fault,
    ImageTestError,
    LaminaError,
    NetworkError,
    StoreError,
)
from lamina.model.built import Built, Inputs
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest
from lamina.model.event import Event, ImageDone, ImageStarted, ImageStep, Listener, Note, Outcome
from lamina.model.image import Image, ImageId
from lamina.model.lock import Lock as FleetLock
from lamina.model.proof import Proof
from lamina.model.selection import with_ancestors
from lamina.store.store import Store

_POLL = 0.2  # seconds between two looks at the terminal's interrupts

InputsOf = Callable[[Image, Built | None], Inputs]
Tag = Callable[[Image, Built], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built."""

    catalog: Catalog
    lock: FleetLock
    images: tuple[ImageId, ...]  # with their ancestors, parents first
    pending: frozenset[ImageId]  # those that may have to be built or tested
    current: Mapping[ImageId, Built]  # what the store has of them
    inputs: InputsOf
    pulled: Mapping[ImageId, str]  # from which cache those are that were just taken from one
    jobs: int
    test: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of each image, and the images that are there now."""

    outcomes: Mapping[ImageId, ImageDone]
    built: Mapping[ImageId, Built]

    def raise_failures(self) -> None:
        """Raise one error for all images that are not there; return when all are."""
        lost = [done for image, done in self.outcomes.items() if image not in self.built]
        outcomes = {done.outcome for done in lost}
        if "interrupted" in outcomes:
            raise KeyboardInterrupt
        error = NetworkError if outcomes <= {"not fetched", "blocked"} else BuildError
        error.raise_all(
            [Fault(str(done.image), f"{done.outcome}: {done.message}") for done in lost]
        )


def build_fleet(
    order: Order, store: Store, units: Units, *, tag: Tag, listener: Listener
) -> RunResult:
    """Build, test and tag the images of `order`; return what came of each.

    An interrupt ends every sandbox at once; what was finished stays, and the images that were
    not are reported as interrupted. The store keeps how the run went.
    """
    with store.in_use():
        return _Fleet(order, store, units, tag=tag, listener=listener).run()


class _Fleet:
    """A build that is going on: what waits, what runs, what is done."""

    def __init__(
        self, order: Order, store: Store, units: Units, *, tag: Tag, listener: Listener
    ) -> None:
        self._order = order
        self._store = store
        self._units = units
        self._tag = tag
        self._listener = listener
        self._images = order.catalog.by_id()
        self._locked = order.lock.by_id()
        # Those whose units and deltas may be mounted.
        self._mounted = frozenset(with_ancestors(order.catalog, tuple(order.pending)))
        self._stop = Flag()
        self._mutex = Lock()
        self._logbook = Logbook(order.jobs)
        self._built: dict[ImageId, Built] = {}
        self._stacks: dict[ImageId, Stack] = {}
        self._done: dict[ImageId, ImageDone] = {}
        self._proofs: dict[ImageId, tuple[Proof, ...]] = {}

    def run(self) -> RunResult:
        """Build everything; see `build_fleet`."""
        parents = {image: self._images[image].parent for image in self._order.images}
        seconds = {image: self._expected(image) for image in parents}
        chains = remaining(parents, seconds)
        waiting = list(parents)
        idle = list(range(self._order.jobs))
        running: dict[Future[None], int] = {}
        with ThreadPoolExecutor(self._order.jobs) as workers:
            try:
                self._supply(sorted(parents, key=lambda image: -chains[image]))
                while waiting or running:
                    self._block(waiting)
                    for image in ready(parents, waiting, self._built, chains)[: len(idle)]:
                        waiting.remove(image)
                        worker = heappop(idle)
                        running[workers.submit(self._image, image, worker, seconds[image])] = worker
                    finished, _ = wait(running, timeout=_POLL, return_when=FIRST_COMPLETED)
                    for future in finished:
                        heappush(idle, running.pop(future))
                        future.result()
            except KeyboardInterrupt:
                self._stop.set()
            except BaseException:
                self._stop.set()  # or the images that are being built would be waited for
                raise
        for image in parents:
            if image not in self._done:
                self._finish(image, "interrupted", 0.0)
        self._keep_record()
        outcomes = {image: self._done[image] for image in self._order.images}
        return RunResult(outcomes=outcomes, built=self._built)

    def _expected(self, image: ImageId) -> float:
        built = self._order.current.get(image)
        return estimate(len(self._locked[image].units), built.seconds if built else None)

    def _supply(self, images: Sequence[ImageId]) -> None:
        """Have the units of the pending images and of all that they stand on, in this order."""
        mounted = [image for image in images if image in self._mounted]
        self._units.supply(each for image in mounted for each in self._wanted(image))

    def _wanted(self, image: ImageId) -> tuple[Unpacking, ...]:
        """Return the units that the image installs."""
        lock = self._order.lock
        line = lock.line_of(self._locked[image])
        return unpackings([lock.units_of(locked) for locked in line])[-1]

    def _block(self, waiting: list[ImageId]) -> None:
        """Give up the images whose parent failed."""
        for image in list(waiting):
            parent = self._images[image].parent
            done = self._done.get(parent) if parent else None
            if done is not None and parent not in self._built:
                waiting.remove(image)
                self._finish(image, "blocked", 0.0, message=f"by {parent}")

    def _image(self, image: ImageId, worker: int, expected: float) -> None:
        """Do all that one image needs; every outcome is recorded, none is raised."""
        self._logbook.begin(image, self._images[image].parent, worker=worker)
        path = self._store.log_path(self._order.lock.distro, image)
        outcome: Outcome = "built"
        message = ""
        self._listen(ImageStarted(image=image, expected=expected))
        try:
            outcome = self._make(self._images[image])
            if outcome == "pulled":
                message = f"from the cache {self._order.pulled[image]}"
        except Stopped:
            outcome = "interrupted"
        except ImageTestError as error:
            outcome, message = "test failed", str(error)
        except NetworkError as error:
            outcome, message = "not fetched", str(error)
        except (LaminaError, OSError) as error:
            outcome, message = "failed", str(error)
        turn = self._logbook.end(image, outcome)
        # Of an image that was not begun there is no log, or an old one.
        log = "" if outcome == "not fetched" else str(path)
        self._finish(image, outcome, turn.seconds, message=message, log=log)

    def _make(self, image: Image) -> Outcome:
        parent = self._built[image.parent] if image.parent else None
        inputs = self._order.inputs(image, parent)
        current = self._order.current.get(image.id)
        waits = Note(message=f"waiting for another process that builds {image.id}")
        with self._store.exclusive(
            f"image-{inputs.key().hex}", on_wait=lambda: self._listen(waits)
        ):
            found = self._found(image.id, inputs.key())
            if isinstance(found, Fault):
                self._listen(Note(message=f"{found.message}: {image.id} is built again"))
            outcome: Outcome = "pulled" if image.id in self._order.pulled else "unchanged"
            if isinstance(found, Built):
                built = replace(found, id=image.id)
            else:
                outcome, built = "built", self._build(image, inputs, parent)
            if self._order.test and image.tests:
                proof = tests_digest(image, built.manifest)
                if built.tested != proof:
                    self._prove(image, built)
                    built = replace(built, tested=proof)
                    self._store.save_built(built)
                    outcome = "tested" if outcome == "unchanged" else outcome
            if built != current:
                self._tag(image, built)
        self._built[image.id] = built
        return outcome

    def _found(self, image: ImageId, key: Digest) -> Built | Fault | None:
        """Return the image with this key if it can be used as this build may have to."""
        found = self._store.find_built(key)
        if not isinstance(found, Built) or image not in self._mounted:
            return found
        return found if self._store.delta_is_intact(found.manifest) else changed_delta(image)

    def _build(self, image: Image, inputs: Inputs, parent: Built | None) -> Built:
        locked = self._locked[image.id]
        refs = self._order.lock.units_of(locked)
        job = Job(
            image=image,
            locked=locked,
            units={ref.key: ref for ref in refs},
            facts=self._units.facts(self._wanted(image.id), self._stop),
            inputs=inputs,
            rules=self._order.catalog.distro.rules,
            distro=self._order.lock.distro,
            architecture=self._order.lock.architecture,
            parent=parent,
            stack=self._stack(image.parent),
            groups=self._order.lock.groups_of(locked),
        )
        with self._store.work_folder() as work:
            return build_image(
                job, self._store, self._units, work, stop=self._stop, on_step=self._steps(image.id)
            )

    def _prove(self, image: Image, built: Built) -> None:
        log = self._store.log_path(self._order.lock.distro, image.id)
        with self._store.work_folder() as work:
            self._proofs[image.id] = prove(
                image,
                self._built_stack(image.id, built),
                work,
                log,
                stop=self._stop,
                on_step=self._steps(image.id),
            )

    def _stack(self, image: ImageId | None) -> Stack:
        return self._built_stack(image, self._built[image]) if image else EMPTY

    def _built_stack(self, image: ImageId, built: Built) -> Stack:
        if image not in self._stacks:
            parent = self._stack(self._images[image].parent)
            facts = self._units.facts(self._wanted(image), self._stop)
            self._stacks[image] = stack_of(built, parent, facts, self._store)
        return self._stacks[image]

    def _steps(self, image: ImageId) -> Callable[[str], None]:
        def on_step(step: str) -> None:
            self._logbook.step(image, step)
            self._listen(ImageStep(image=image, step=step))

        return on_step

    def _keep_record(self) -> None:
        try:
            self._store.history.keep(self._order.lock.distro, self._logbook.close())
        except StoreError as error:
            # The images are there, which is what was asked for.
            self._listen(Note(message=f"how the build went is not recorded: {error}"))

    def _finish(
        self, image: ImageId, outcome: Outcome, seconds: float, *, message: str = "", log: str = ""
    ) -> None:
        done = ImageDone(
            image=image,
            outcome=outcome,
            seconds=seconds,
            message=message,
            log=log,
            proofs=self._proofs.get(image, ()),
        )
        self._done[image] = done
        self._listen(done)

    def _listen(self, event: Event) -> None:
        # Events come from several threads, and a listener need not care.
        with self._mutex:
            self._listener(event)
