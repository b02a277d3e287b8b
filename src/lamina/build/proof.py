"""Proving an image: its own tests, run in the sandbox over what was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any, assert_never

from lamina.build.image import Step as OnStep
from lamina.build.service import service_trial
from lamina.build.trial import Trial, failure, passed, proof
from lamina.engine import sandbox
from lamina.engine.sandbox import SERVICE_CAPABILITIES, Call, Result, Sandbox
from lamina.engine.stack import Stack
from lamina.errors import ImageTestError
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import Image, ImageTest, Runtime, ServiceTest
from lamina.model.proof import Phase, Proof

# OCI gives a container no PATH unless its image has one.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def tests_digest(image: Image, manifest: Digest) -> Digest:
    """Return the name of a proof: these tests, passed by this manifest."""
    tests = [_told(image.runtime, test) for test in image.tests]
    return Digest.of(canonical_json([str(manifest), image.runtime.user, tests]))


def _told(runtime: Runtime, test: ImageTest | ServiceTest) -> Mapping[str, Any]:
    """Return all that a test depends on, the manifest and the image's user aside."""
    if isinstance(test, ImageTest):
        return asdict(test)
    started = {
        "argv": [*runtime.entrypoint, *runtime.command],
        "environment": dict(runtime.environment),
        "stop_signal": runtime.stop_signal,
        "working_dir": runtime.working_dir,
    }
    return {**asdict(test), "started": started}


def prove(
    image: Image, stack: Stack, work: Path, log: Path, *, stop: Event, on_step: OnStep
) -> tuple[Proof, ...]:
    """Run the tests of `image`, whose file system is `stack`, each in a new folder of `work`.

    Returns what they show. Raises `ImageTestError` for the first that fails and `Stopped` once
    `stop` is set.
    """
    proofs = []
    for number, test in enumerate(image.tests, start=1):
        folder = work / f"test-{number}"
        folder.mkdir()
        trial = _trial(image, test, folder / "config_files")
        box = Sandbox(
            lowers=stack.lowers,
            folder=folder,
            binds=trial.binds,
            capabilities=SERVICE_CAPABILITIES,
            loopback=trial.loopback,
        )
        sandbox.prepare(box)
        told = _Progress(f"test {number} of {len(image.tests)}", trial, on_step)
        calls = tuple(step for _, step in trial.steps)
        results = sandbox.run(box, calls, log=log, stop=stop, on_result=told.after)
        if not passed(trial, results):
            raise ImageTestError.one(
                f"test {number}, {failure(trial, results)}",
                place=str(image.id),
                remedy=f"the log has all that it printed: {log}",
            )
        proofs.append(proof(trial, results))
    return tuple(proofs)


class _Progress:
    """Tells which phase of a test has begun, each once."""

    def __init__(self, test: str, trial: Trial, on_step: OnStep) -> None:
        self._test = test
        self._phases = [phase for phase, _ in trial.steps]
        self._on_step = on_step
        self._tell(self._phases[0])

    def after(self, number: int, result: Result) -> None:
        """Tell what begins after a step with this result."""
        before, *following = self._phases[number : number + 2]
        if result.good and following and following[0] != before:
            self._tell(following[0])

    def _tell(self, phase: Phase | None) -> None:
        self._on_step(f"{self._test}: {phase}" if phase else self._test)


def _trial(image: Image, test: ImageTest | ServiceTest, folder: Path) -> Trial:
    match test:
        case ImageTest():
            steps = tuple((None, call) for call in test_calls(image, test))
            return Trial(test=" ".join(test.run)[:80], steps=steps, loopback=test.loopback)
        case ServiceTest():
            return service_trial(image, test, _variables(image), folder)
        case _:
            assert_never(test)


def test_calls(image: Image, test: ImageTest) -> tuple[Call, ...]:
    """Return the calls of one test: its daemon in the background, then the command that decides."""
    variables = _variables(image)
    user = (test.user or image.runtime.user).partition(":")[0]
    cwd = image.runtime.working_dir or "/"
    deciding = Call(
        argv=test.run,
        environment=variables,
        cwd=cwd,
        user=user,
        timeout=test.timeout,
        title=f"test {' '.join(test.run)[:80]}",
        stdout=test.stdout,
        exit=test.exit,
        retry=bool(test.start),
    )
    if not test.start:
        return (deciding,)
    daemon = Call(
        argv=test.start,
        environment=variables,
        cwd=cwd,
        user=user,
        title=f"start {' '.join(test.start)[:80]}",
        way="background",
    )
    return (daemon, deciding)


def _variables(image: Image) -> Mapping[str, str]:
    return {"PATH": DEFAULT_PATH, **image.runtime.environment}
