"""A service test: the image started as a deployment starts it, phase by phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from lamina.build.trial import Trial
from lamina.engine.sandbox import Bind, Call, End, Look, Step
from lamina.model import contract
from lamina.model.image import Image, ServiceTest
from lamina.model.proof import Phase
from lamina.model.signals import signal_name, signal_number

_SERVICE = "service"
_STOP_SIGNAL = "SIGTERM"  # of an image that states no other
# A service may listen before it has given up being root.
_SETTLING = 5.0  # seconds


def service_trial(
    image: Image, test: ServiceTest, variables: Mapping[str, str], folder: Path
) -> Trial:
    """Return a service test as the sandbox does it.

    `variables` are what every program of the image gets. What a deployment mounts is written into
    `folder`, which is made.
    """
    strategy = {contract.STRATEGY: contract.COPY_ALWAYS}
    steps = _steps(image, test, {**variables, **strategy, **test.environment})
    return Trial(
        test=test.command,
        steps=tuple((phase, replace(step, title=_title(phase, step))) for phase, step in steps),
        binds=(_config_files(test, folder),),
        loopback=test.loopback,
    )


def _config_files(test: ServiceTest, folder: Path) -> Bind:
    """Write config.json and its neighbours; nobody but root may change them."""
    folder.mkdir()
    folder.chmod(0o755)  # whatever lamina's umask is
    for name, text in {**test.files, contract.CONFIG: test.config}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o644)
    return Bind(source=folder, target=contract.CONFIG_FOLDER)


def _title(phase: Phase, step: Step) -> str:
    """Return the line of the log under which a step is found."""
    match step:
        case Call():
            return f"{phase}: {' '.join(' '.join(step.argv).split())[:80]}"
        case Look():
            return f"{phase}: {step.user}" if step.user else ""
        case End():
            return f"{phase}: {signal_name(step.signal)}"
        case _:
            assert_never(step)


def _steps(
    image: Image, test: ServiceTest, variables: Mapping[str, str]
) -> Iterator[tuple[Phase, Step]]:
    runtime = image.runtime
    user = runtime.user.partition(":")[0] or "root"
    call = Call(
        argv=(*runtime.entrypoint, *runtime.command),
        environment=variables,
        cwd=runtime.working_dir or "/",
        user=user,
        timeout=test.timeout,
    )
    look = Look(service=_SERVICE, init=contract.INIT, prelude=contract.START, timeout=test.timeout)
    if test.prepare:
        yield "prepare", replace(call, argv=test.prepare, user="root", lasting=True)
    if test.bootstrap:
        first = {**variables, **test.bootstrap}
        yield "bootstrap", replace(call, environment=first, service="bootstrap")
    yield "start", replace(call, service=_SERVICE, way="background")
    yield "start", look
    yield "health check", replace(call, argv=test.healthcheck, retry=True, beside=_SERVICE)
    rootless = user not in ("root", "0")
    runs_as = test.runs_as or user
    yield "user", replace(look, user=runs_as, rootless=rootless, timeout=_SETTLING)
    if test.run:
        asking = replace(call, argv=test.run, stdout=test.stdout, exit=test.exit)
        yield "run", replace(asking, user=test.user or user, retry=True, beside=_SERVICE)
    number = signal_number(runtime.stop_signal or _STOP_SIGNAL)
    yield "stop", End(service=_SERVICE, signal=number, timeout=test.stop)
