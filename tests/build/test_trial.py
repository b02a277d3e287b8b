from __future__ import annotations

import pytest

from lamina.build.trial import Trial, failure, passed, proof
from lamina.engine.sandbox import Call, End, Look, Result, Step
from lamina.model.proof import Phase

GOOD = Result(good=True, code=0, matches=True, output="", seconds=0.25)
CALL = Call(argv=("check",), timeout=7)
TRIAL = Trial(
    test="served -f",
    steps=(
        ("start", CALL),
        ("start", Look(service="it", timeout=7)),
        ("health check", CALL),
        ("stop", End(service="it", signal=15, timeout=3)),
    ),
)


def bad(output: str = "", *, code: int | None = None, ended: int | None = None) -> Result:
    return Result(good=False, code=code, matches=True, output=output, seconds=1, ended=ended)


def test_a_trial_is_passed_when_every_step_was_good() -> None:
    assert passed(TRIAL, [GOOD] * 4)
    assert not passed(TRIAL, [GOOD] * 3)
    assert not passed(TRIAL, [GOOD] * 3 + [bad()])


def test_a_proof_has_the_seconds_of_its_phases() -> None:
    shown = proof(TRIAL, [GOOD] * 4)
    assert (shown.test, shown.seconds) == ("served -f", 1.0)
    assert shown.phases == {"start": 0.5, "health check": 0.25, "stop": 0.25}


def test_a_proof_by_a_command_has_no_phases() -> None:
    trial = Trial(test="served --version", steps=((None, CALL),))
    assert proof(trial, [GOOD]).phases == {}
    assert failure(trial, [bad("no\n", code=1)]) == (
        "'served --version', ended with exit code 1, expected 0: no"
    )


FAILURES: dict[str, tuple[Phase, Step, Result, str]] = {
    "a check that hangs": ("health check", CALL, bad(), "was not done after 7 s"),
    "a check that fails": (
        "health check",
        Call(argv=("check",), timeout=7, retry=True),
        bad("first\n\n no port 80 \n", code=1),
        "ended with exit code 1, expected 0, tried for 7 s: first | no port 80",
    ),
    "another exit code": (
        "run",
        Call(argv=("ask",), exit=3),
        bad(code=-9),
        "ended by SIGKILL, expected 3",
    ),
    "another output": (
        "run",
        Call(argv=("ask",), stdout="a+"),
        bad("b\x1b[2J\n", code=0),
        "printed nothing that matches 'a+': b?[2J",
    ),
    "an early end": (
        "run",
        CALL,
        bad("no such file\n", ended=1),
        "the service ended with exit code 1: no such file",
    ),
    "an early end by a signal": ("run", CALL, bad(ended=-11), "the service ended by SIGSEGV"),
    "an early end by a signal without a name": (
        "run",
        CALL,
        bad(ended=-40),
        "the service ended by signal 40",
    ),
    "another user": (
        "user",
        Look(service="it", timeout=5),
        bad("it is root's\nand so is its child"),
        "it is root's; and so is its child, after 5 s",
    ),
    "no end": (
        "stop",
        End(service="it", signal=10, timeout=3),
        bad("still busy\n"),
        "the service still ran 3 s after SIGUSR1: still busy",
    ),
    "no end by a signal without a name": (
        "stop",
        End(service="it", signal=37, timeout=3),
        bad(),
        "the service still ran 3 s after signal 37",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_says_the_phase_and_what_was_seen(case: str) -> None:
    phase, step, result, seen = FAILURES[case]
    trial = Trial(test="served", steps=(("start", CALL), (phase, step)))
    assert failure(trial, [GOOD, result]) == f"'served', {phase}: {seen}"


@pytest.mark.parametrize("results", [[], [GOOD]])
def test_a_sandbox_that_ends_first_is_at_fault(results: list[Result]) -> None:
    assert "did not run to its end" in failure(TRIAL, results)


def test_of_a_long_output_the_end_is_told() -> None:
    output = "\n".join(f"line {number} {'x' * 90}" for number in range(9))
    told = failure(Trial(test="it", steps=((None, CALL),)), [bad(output, code=1)])
    assert len(told) < 460
    assert "line 8" in told
    assert "line 3" not in told
