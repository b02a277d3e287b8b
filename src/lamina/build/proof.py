"""Proving an image: its own tests, run in the sandbox over what was built."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from threading import Event

from lamina.build.image import Step
from lamina.engine import sandbox
from lamina.engine.sandbox import SERVICE_CAPABILITIES, Call, Sandbox
from lamina.engine.stack import Stack
from lamina.errors import ImageTestError
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import Image, ImageTest

# OCI gives a container no PATH unless its image has one.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def tests_digest(image: Image, manifest: Digest) -> Digest:
    """Return the name of a proof: these tests, passed by this manifest."""
    return Digest.of(
        canonical_json([str(manifest), image.runtime.user, [asdict(test) for test in image.tests]])
    )


def prove(image: Image, stack: Stack, work: Path, log: Path, *, stop: Event, on_step: Step) -> None:
    """Run the tests of `image`, whose file system is `stack`, each in a new folder of `work`.

    Raises `ImageTestError` for the first that fails and `Stopped` once `stop` is set.
    """
    for number, test in enumerate(image.tests, start=1):
        on_step(f"test {number} of {len(image.tests)}")
        folder = work / f"test-{number}"
        folder.mkdir()
        box = Sandbox(
            lowers=stack.lowers,
            folder=folder,
            capabilities=SERVICE_CAPABILITIES,
            loopback=test.loopback,
        )
        sandbox.prepare(box)
        calls = test_calls(image, test)
        results = sandbox.run(box, calls, log=log, stop=stop)
        if len(results) < len(calls) or not results[-1].good:
            # What follows a call that was not good is not run; otherwise the sandbox is at fault.
            last = results[-1] if results and not results[-1].good else None
            raise ImageTestError.one(
                f"test {number}, {' '.join(test.run)[:80]!r}, {_verdict(test, last)}",
                place=str(image.id),
                remedy=f"the log has all that it printed: {log}",
            )


def test_calls(image: Image, test: ImageTest) -> tuple[Call, ...]:
    """Return the calls of one test: its daemon in the background, then the command that decides."""
    variables = {"PATH": DEFAULT_PATH, **image.runtime.environment}
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


def _verdict(test: ImageTest, last: sandbox.Result | None) -> str:
    if last is None:
        return "did not run to its end, for the sandbox ended first"
    if last.code is None:
        return f"was not done after {test.timeout} s"
    if last.code != test.exit:
        return f"ended with exit code {last.code}, expected {test.exit}"
    return f"printed nothing that matches {test.stdout!r}"
