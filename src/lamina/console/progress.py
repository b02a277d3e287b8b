"""A build as it runs: live lines on a terminal, one line for each event elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import TextIO

from lamina.console.board import Board, Running, advanced, time_left
from lamina.console.look import Look
from lamina.console.texts import log_tail
from lamina.model.amounts import size_text, time_text
from lamina.model.event import (
    Doing,
    Event,
    ImageDone,
    ImageStarted,
    Listener,
    Note,
    Outcome,
    Planned,
)
from lamina.model.image import ImageId

Clock = Callable[[], float]  # seconds, from any beginning

_STYLES: dict[Outcome, str] = {
    "built": "green",
    "tested": "green",
    "pulled": "green",
    "unchanged": "dim",
    "failed": "bold red",
    "not fetched": "bold red",
    "test failed": "bold red",
    "blocked": "yellow",
    "interrupted": "yellow",
}


def show_progress(out: TextIO, look: Look, clock: Clock) -> AbstractContextManager[Listener]:
    """Return a listener that shows the events of a run on `out` while the block lasts."""
    return _live(out, look, clock) if look.terminal else _plain(out)


def silence(event: Event) -> None:
    """Show nothing of `event`."""


@contextmanager
def _plain(out: TextIO) -> Iterator[Listener]:
    lock = Lock()
    board = Board()

    def listen(event: Event) -> None:
        nonlocal board
        with lock:
            board = advanced(board, event, 0.0)
            out.writelines(f"{line}\n" for line, _ in _lines(event, board))
            out.flush()

    yield listen


@contextmanager
def _live(out: TextIO, look: Look, clock: Clock) -> Iterator[Listener]:
    # Loaded for a terminal only: without rich a command starts a tenth of a second sooner.
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(file=out, force_terminal=True, no_color=not look.color, highlight=False)
    lock = Lock()
    board = Board()

    def view() -> Group:
        return Group(
            *(Text(line, no_wrap=True, overflow="ellipsis") for line in live_lines(board, clock()))
        )

    with Live(console=console, get_renderable=view, transient=True, refresh_per_second=8) as live:

        def listen(event: Event) -> None:
            nonlocal board
            with lock:
                board = advanced(board, event, clock())
                if isinstance(event, ImageStarted | Doing):
                    return  # a live line says so
                for line, style in _lines(event, board):
                    live.console.print(Text(line, style=style), soft_wrap=True)

        yield listen


def live_lines(board: Board, now: float) -> list[str]:
    """Return the lines that are written anew again and again."""
    width = max((len(str(image)) for image in board.running), default=0)
    lines = [_running(image, board.running[image], width, now) for image in board.running]
    transfers = []
    if load := board.downloaded:
        if load.total is None:
            transfers.append(f"downloaded {size_text(load.done)}")
        elif load.done < load.total:
            transfers.append(f"downloaded {size_text(load.done)} of {size_text(load.total)}")
    if (sent := board.sent) and sent.done < sent.total:
        transfers.append(f"sent {size_text(sent.done)} of {size_text(sent.total)}")
    if (units := board.units) and units.done < units.total:
        transfers.append(f"unpacked {units.done} of {units.total} packages")
    if transfers:
        lines.append(", ".join(transfers))
    if board.doing:
        return [*lines, board.doing]
    lines.append(_counter(board, now))
    return lines


def _counter(board: Board, now: float) -> str:
    """Return the counter line: what is done, what waits, and how long it will take."""
    failed = sum(board.count(outcome) for outcome in ("failed", "not fetched", "test failed"))
    counts = [
        f"{board.count('built')} built",
        f"{board.count('unchanged')} unchanged",
        f"{failed} failed",
        f"{len(board.waiting)} waiting",
    ]
    left = time_left(board, now)
    if left:
        counts.append(f"about {time_text(left)} left")
    return ", ".join(counts)


def _running(image: ImageId, running: Running, width: int, now: float) -> str:
    expected = f" of {time_text(running.expected)}" if running.expected else ""
    spent = f"{time_text(now - running.begun)}{expected}"
    # The step last: it may be longer than the line.
    return f"  {image!s:{width}}  {spent:16}  {running.step}".rstrip()


def _lines(event: Event, board: Board) -> Iterator[tuple[str, str]]:
    """Return the lines that an event leaves behind, each with its style.

    Of an image that the plan keeps there is nothing to say, unless more comes of it.
    """
    match event:
        case Planned():
            yield _plan_line(event), ""
        case ImageStarted():
            if event.image not in board.kept:
                yield f"{event.image}: started", ""
        case ImageDone():
            if event.outcome != "unchanged" or event.image not in board.kept:
                yield from _done_lines(event)
        case Doing():
            yield event.message, ""
        case Note():
            yield event.message, "yellow"


def _plan_line(event: Planned) -> str:
    """Return the plan's counts in a line."""
    plan = event.plan
    pulled = len(plan.with_action("pull"))
    return ", ".join(
        [
            f"{len(plan.with_action('build'))} to build",
            *([f"{pulled} to pull"] if pulled else []),
            f"{len(plan.with_action('keep'))} unchanged",
            f"{len(plan.with_action('blocked'))} blocked",
        ]
    )


def _done_lines(event: ImageDone) -> Iterator[tuple[str, str]]:
    style = _STYLES[event.outcome]
    after = f" after {time_text(event.seconds)}" if event.seconds else ""
    reason, *more = event.message.removeprefix(f"{event.image}: ").splitlines() or [""]
    yield f"{event.image}: {event.outcome}{after}{': ' if reason else ''}{reason}", style
    if event.outcome in ("failed", "test failed") and event.log:
        yield from ((f"  | {line}", "") for line in log_tail(Path(event.log)))
        if event.log not in event.message:
            yield f"  full log: {event.log}", ""
    yield from ((line, "") for line in more)
