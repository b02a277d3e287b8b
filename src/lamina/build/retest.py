"""Testing images that are built already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

from lamina.build.fleet import RunResult
from lamina.build.lineage import Find, lineage, mountable
from lamina.build.proof import prove
from lamina.build.units import Units
from lamina.engine.sandbox import Stopped
from lamina.engine.stack import Stack
from lamina.errors import ImageTestError, LaminaError
from lamina.model.built import Built
from lamina.model.event import Event as Told
from lamina.model.event import ImageDone, ImageStarted, ImageStep, Listener, Outcome
from lamina.model.image import Image, ImageId
from lamina.model.proof import Proof
from lamina.store.store import Store


def retest(
    pairs: Sequence[tuple[Image, Built]],
    store: Store,
    units: Units,
    *,
    find: Find,
    distro: str,
    jobs: int,
    listener: Listener,
) -> RunResult:
    """Run the tests of images that are in the store, `jobs` images at a time.

    `find` finds their ancestors. An interrupt ends every test at once.
    """
    stop, mutex = Event(), Lock()
    outcomes: dict[ImageId, ImageDone] = {}

    def tell(event: Told) -> None:
        with mutex:
            listener(event)

    def one(image: Image, stack: Stack) -> None:
        began = time.monotonic()
        tell(ImageStarted(image=image.id, expected=None))
        log = store.log_path(distro, image.id)
        outcome: Outcome = "tested"
        message = ""
        proofs: tuple[Proof, ...] = ()
        try:
            with store.work_folder() as work:
                proofs = prove(
                    image,
                    stack,
                    work,
                    log,
                    stop=stop,
                    on_step=lambda step: tell(ImageStep(image=image.id, step=step)),
                )
        except Stopped:
            outcome = "interrupted"
        except ImageTestError as error:
            outcome, message = "test failed", str(error)
        except LaminaError as error:
            outcome, message = "failed", str(error)
        done = ImageDone(
            image=image.id,
            outcome=outcome,
            seconds=time.monotonic() - began,
            message=message,
            log=str(log),
            proofs=proofs,
        )
        outcomes[image.id] = done
        tell(done)

    with store.in_use(), ThreadPoolExecutor(jobs) as workers:
        try:
            stacks = [mountable(lineage(built, find), store, units, stop) for _, built in pairs]
            for future in [
                workers.submit(one, image, stack)
                for (image, _), stack in zip(pairs, stacks, strict=True)
            ]:
                future.result()
        except KeyboardInterrupt:
            stop.set()
    for image, _ in pairs:
        if image.id not in outcomes:
            outcomes[image.id] = ImageDone(image=image.id, outcome="interrupted", seconds=0.0)
    return RunResult(
        outcomes={image.id: outcomes[image.id] for image, _ in pairs},
        built={built.id: built for _, built in pairs},
    )
