"""A test as the sandbox does it: its steps, what a failed one says, what passed ones show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from lamina.engine.sandbox import Bind, Call, End, Look, Result, Step
from lamina.model.proof import Phase, Proof
from lamina.model.signals import signal_name

_LAST_LINES, _LAST_SIGNS = 5, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a test does in a sandbox, in order; steps of a service test belong to a phase."""

    test: str  # the command that it is about
    steps: tuple[tuple[Phase | None, Step], ...]
    binds: tuple[Bind, ...] = ()
    loopback: bool = False


def passed(trial: Trial, results: Sequence[Result]) -> bool:
    """Tell whether every step of a trial was done and good."""
    return len(results) == len(trial.steps) and all(result.good for result in results)


def failure(trial: Trial, results: Sequence[Result]) -> str:
    """Return what a trial that was not passed has failed by: the phase, and what was seen."""
    # What follows a step that was not good is not done; otherwise the sandbox is at fault.
    if not results or results[-1].good:
        return f"{trial.test!r}, did not run to its end, for the sandbox ended first"
    phase, step = trial.steps[len(results) - 1]
    where = f"{trial.test!r}, {phase}:" if phase else f"{trial.test!r},"
    return f"{where} {_seen(step, results[-1])}"


def proof(trial: Trial, results: Sequence[Result]) -> Proof:
    """Return what a trial that was passed shows."""
    phases: dict[Phase, float] = {}
    for (phase, _), result in zip(trial.steps, results, strict=True):
        if phase:
            phases[phase] = round(phases.get(phase, 0.0) + result.seconds, 3)
    seconds = round(sum(result.seconds for result in results), 3)
    return Proof(test=trial.test, seconds=seconds, phases=phases)


def _seen(step: Step, result: Result) -> str:
    words = _last_words(result.output)
    if result.ended is not None:
        return f"the service ended {_exit(result.ended)}{words}"
    match step:
        case Look():
            return f"{'; '.join(result.output.splitlines())}, after {step.timeout:g} s"
        case End():
            name = signal_name(step.signal)
            return f"the service still ran {step.timeout:g} s after {name}{words}"
        case Call():
            return _seen_of_call(step, result, words)
        case _:
            assert_never(step)


def _seen_of_call(call: Call, result: Result, words: str) -> str:
    if result.code is None:
        return f"was not done after {call.timeout:g} s{words}"
    if result.code != call.exit:
        tried = f", tried for {call.timeout:g} s" if call.retry else ""
        return f"ended {_exit(result.code)}, expected {call.exit}{tried}{words}"
    return f"printed nothing that matches {call.stdout!r}{words}"


def _exit(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"by {signal_name(-code)}"


def _last_words(output: str) -> str:
    """Return the end of an output in one line, behind a colon; nothing where it is empty."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    shown = " | ".join(lines[-_LAST_LINES:])[-_LAST_SIGNS:]
    return f": {''.join(sign if sign.isprintable() else '?' for sign in shown)}" if shown else ""
