"""What came of a run over images: its exit code, its JSON, its closing words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from lamina.build.fleet import RunResult
from lamina.cli.faults import INTERRUPTED
from lamina.cli.output import show_table
from lamina.console import Table, time_text
from lamina.errors import BuildError, ImageTestError, NetworkError
from lamina.model.event import ImageDone, Outcome
from lamina.model.image import ImageId
from lamina.model.proof import Phase, Proof

_ORDER: tuple[Outcome, ...] = (
    "built",
    "tested",
    "pulled",
    "unchanged",
    "failed",
    "not fetched",
    "test failed",
    "blocked",
    "interrupted",
)
_PHASES: Mapping[Phase, str] = {
    "bootstrap": "bootstrapped in {}",
    "start": "started in {}",
    "health check": "healthy after {}",
    "stop": "stopped in {}",
}
_UNFINISHED: frozenset[Outcome] = frozenset(("failed", "not fetched", "test failed", "interrupted"))


def exit_code(result: RunResult) -> int:
    """Return the exit code: the worst outcome counts."""
    outcomes = {done.outcome for done in result.outcomes.values()}
    if "interrupted" in outcomes:
        return INTERRUPTED
    if "failed" in outcomes:
        return BuildError.exit_code
    if "not fetched" in outcomes:
        return NetworkError.exit_code
    if "test failed" in outcomes:
        return ImageTestError.exit_code
    return 0


def result_values(result: RunResult) -> dict[str, Any]:
    """Return the form that scripts rely on: `images`, each with its outcome, and `counts`.

    Where tests were passed: `tests`, each with its seconds, a service's by `phases` too.
    """
    counts = Counter(done.outcome for done in result.outcomes.values())
    return {
        "counts": {outcome: counts[outcome] for outcome in _ORDER if counts[outcome]},
        "images": [_values(image, done, result) for image, done in result.outcomes.items()],
    }


def show_result(result: RunResult, *, again: str) -> None:
    """Print what came of each image that was not simply kept, and how to go on with `again`."""
    told = _told(result)
    _show(
        ("image", "outcome", "time", "why"),
        [(str(image), done.outcome, _time(done), _why(done)) for image, done in told],
    )
    _show_end(result, again)


def show_tests(result: RunResult, *, again: str) -> None:
    """Print what the tests of each image have shown, and how to go on with `again`."""
    told = _told(result)
    _show(
        ("image", "outcome", "tests", "time", "shown", "why"),
        [
            (
                *(str(image), done.outcome, str(len(done.proofs) or ""), _time(done)),
                *(_shown(done.proofs), _why(done)),
            )
            for image, done in told
        ],
    )
    _show_end(result, again)


def _told(result: RunResult) -> list[tuple[ImageId, ImageDone]]:
    return [(image, done) for image, done in result.outcomes.items() if done.outcome != "unchanged"]


def _show(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if rows:
        numbers = frozenset(("tests", "time"))
        show_table(Table(columns=columns, rows=tuple(rows), numbers=numbers))


def _show_end(result: RunResult, again: str) -> None:
    counts = Counter(done.outcome for done in result.outcomes.values())
    click.echo(", ".join(f"{counts[each]} {each}" for each in _ORDER if counts[each]) or "nothing")
    told = _told(result)
    for image, done in told:
        if done.log and done.outcome in _UNFINISHED:
            click.echo(f"log of {image}: {done.log}")
    if any(done.outcome in _UNFINISHED for _, done in told):
        click.echo(f"to go on: `{again}`; what is finished stays")


def _shown(proofs: tuple[Proof, ...]) -> str:
    """Return what passed tests show: the phases of services, and how many commands ran."""
    commands = sum(not proof.phases for proof in proofs)
    shown = [f"{commands} command{'s' if commands > 1 else ''}"] if commands else []
    for proof in proofs:
        words = [
            _PHASES[phase].format(time_text(seconds))
            for phase, seconds in proof.phases.items()
            if phase in _PHASES
        ]
        if words:
            shown.append(", ".join(words))
    return "; ".join(shown)


def _why(done: ImageDone) -> str:
    return done.message.partition("\n")[0]


def _time(done: ImageDone) -> str:
    return time_text(done.seconds) if done.seconds else ""


def _values(image: ImageId, done: ImageDone, result: RunResult) -> dict[str, Any]:
    values: dict[str, Any] = {
        "image": str(image),
        "outcome": done.outcome,
        "seconds": round(done.seconds, 3),
    }
    if done.message:
        values["message"] = done.message
    if done.log:
        values["log"] = done.log
    if done.proofs:
        values["tests"] = [_test_values(proof) for proof in done.proofs]
    if image in result.built:
        values["manifest"] = str(result.built[image].manifest)
    return values


def _test_values(proof: Proof) -> dict[str, Any]:
    values: dict[str, Any] = {"test": proof.test, "seconds": proof.seconds}
    return {**values, "phases": dict(proof.phases)} if proof.phases else values
