"""What came of a run over images: its exit code, its JSON, its closing words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from lamina.build.fleet import RunResult
from lamina.cli.faults import INTERRUPTED
from lamina.cli.output import show_table
from lamina.console import Table, time_text
from lamina.errors import BuildError, ImageTestError, NetworkError
from lamina.model.event import ImageDone, Outcome
from lamina.model.image import ImageId

_ORDER: tuple[Outcome, ...] = (
    "built",
    "tested",
    "unchanged",
    "failed",
    "not fetched",
    "test failed",
    "blocked",
    "interrupted",
)
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
    """Return the form that scripts rely on: `images`, each with its outcome, and `counts`."""
    counts = Counter(done.outcome for done in result.outcomes.values())
    return {
        "counts": {outcome: counts[outcome] for outcome in _ORDER if counts[outcome]},
        "images": [_values(image, done, result) for image, done in result.outcomes.items()],
    }


def show_result(result: RunResult, *, again: str) -> None:
    """Print what came of each image that was not simply kept, and how to go on with `again`."""
    told = [(image, done) for image, done in result.outcomes.items() if done.outcome != "unchanged"]
    if told:
        show_table(
            Table(
                columns=("image", "outcome", "time", "why"),
                rows=tuple(
                    (str(image), done.outcome, _time(done), done.message.partition("\n")[0])
                    for image, done in told
                ),
                numbers=frozenset(("time",)),
            )
        )
    counts = Counter(done.outcome for done in result.outcomes.values())
    click.echo(", ".join(f"{counts[each]} {each}" for each in _ORDER if counts[each]) or "nothing")
    for image, done in told:
        if done.log and done.outcome in _UNFINISHED:
            click.echo(f"log of {image}: {done.log}")
    if any(done.outcome in _UNFINISHED for _, done in told):
        click.echo(f"to go on: `{again}`; what is finished stays")


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
    if image in result.built:
        values["manifest"] = str(result.built[image].manifest)
    return values
