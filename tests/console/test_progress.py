from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.console.test_board import CRON, KEPT, REDIS, planned

from lamina.console import Look, Table, look_of, print_table, show_progress, size_text, time_text
from lamina.console.board import Board, advanced
from lamina.console.progress import live_lines
from lamina.model.event import (
    Doing,
    Downloaded,
    Event,
    ImageDone,
    ImageStarted,
    ImageStep,
    Note,
    Sent,
    UnitsMade,
)
from lamina.model.image import ImageId

PLAIN = Look(terminal=False, color=False)
LIVE = Look(terminal=True, color=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*events: Event, look: Look = PLAIN) -> str:
    out = io.StringIO()
    with show_progress(out, look, lambda: 0.0) as listener:
        for event in events:
            listener(event)
    return out.getvalue()


def test_without_a_terminal_every_event_of_note_is_a_plain_line() -> None:
    text = shown(
        planned(),
        Downloaded(done=1, total=2),
        ImageStarted(image=CRON, expected=None),
        ImageStep(image=CRON, step="configure"),
        ImageDone(image=CRON, outcome="built", seconds=3.21),
        ImageDone(image=REDIS, outcome="blocked", seconds=0.0, message="by base"),
        Note(message="a damaged unit was made anew"),
    )

    assert text == (
        "3 to build, 1 unchanged, 0 blocked\n"
        "cron: started\n"
        "cron: built after 3.2 s\n"
        "redis: blocked: by base\n"
        "a damaged unit was made anew\n"
    )


@pytest.mark.parametrize("look", [PLAIN, LIVE], ids=["plain", "live"])
def test_a_failed_image_shows_the_end_of_its_log(tmp_path: Path, look: Look) -> None:
    log = tmp_path / "l.log"
    log.write_text("".join(f"line {number}\n" for number in range(30)) + "dpkg: \x1b[31mred\n")

    text = shown(
        ImageDone(image=CRON, outcome="failed", seconds=2.0, message="dpkg failed", log=str(log)),
        look=look,
    )

    assert "cron: failed after 2.0 s: dpkg failed" in text
    assert "  | dpkg: [31mred\n" in text
    assert "line 29\n" in text
    assert "line 9\n" not in text
    assert "full log" in text


def test_a_reason_that_names_image_and_log_is_not_said_twice(tmp_path: Path) -> None:
    log = tmp_path / "l.log"
    log.write_text("E: it is broken\n")
    message = f"cron: configure failed with exit code 1\n  the log has it all: {log}"

    text = shown(
        ImageDone(image=CRON, outcome="failed", seconds=2.0, message=message, log=str(log))
    )

    assert text == (
        "cron: failed after 2.0 s: configure failed with exit code 1\n"
        "  | E: it is broken\n"
        f"  the log has it all: {log}\n"
    )


def test_a_log_that_is_gone_is_no_trouble() -> None:
    text = shown(ImageDone(image=CRON, outcome="failed", seconds=2.0, log="/nowhere/log"))

    assert text == "cron: failed after 2.0 s\n  full log: /nowhere/log\n"


def test_the_live_view_has_a_line_for_each_running_image_and_a_counter() -> None:
    board = Board()
    for event in (
        planned({ImageId("base"): 10.0}),
        ImageStarted(image=CRON, expected=8.0),
        ImageStep(image=CRON, step="configure"),
        Downloaded(done=1_500_000, total=20_000_000),
        UnitsMade(done=3, total=9),
    ):
        board = advanced(board, event, 100.0)

    assert [" ".join(line.split()) for line in live_lines(board, 102.5)] == [
        "cron 2.5 s of 8.0 s configure",
        "downloaded 1.5 MB of 20.0 MB, unpacked 3 of 9 packages",
        "0 built, 1 unchanged, 0 failed, 2 waiting, about 20 s left",
    ]


def test_of_downloads_whose_size_nobody_knows_the_live_view_tells_what_has_come() -> None:
    board = advanced(Board(), Doing(message="looking at kafka 4.0.0"), 100.0)
    board = advanced(board, Downloaded(done=1_500_000, total=None), 100.0)

    assert live_lines(board, 102.5) == ["downloaded 1.5 MB", "looking at kafka 4.0.0"]


def test_of_what_is_sent_the_live_view_tells_how_much_is_left() -> None:
    board = advanced(Board(), Doing(message="sending 3 blobs of 20.0 MB"), 100.0)
    board = advanced(board, Sent(done=1_500_000, total=20_000_000), 100.0)

    assert live_lines(board, 102.5) == ["sent 1.5 MB of 20.0 MB", "sending 3 blobs of 20.0 MB"]

    board = advanced(board, Sent(done=20_000_000, total=20_000_000), 103.0)
    assert live_lines(board, 103.0) == ["sending 3 blobs of 20.0 MB"]


def test_of_a_kept_image_nothing_is_said_unless_it_is_tested() -> None:
    kept = (
        ImageStarted(image=KEPT, expected=None),
        ImageDone(image=KEPT, outcome="unchanged", seconds=0.1),
    )

    assert shown(planned(), *kept) == shown(planned())
    assert shown(planned(), ImageDone(image=KEPT, outcome="tested", seconds=0.1)).endswith(
        "kept: tested after 0.1 s\n"
    )


def test_an_image_that_is_kept_after_all_is_named() -> None:
    done = ImageDone(image=CRON, outcome="unchanged", seconds=0.1)

    assert shown(planned(), done).endswith("cron: unchanged after 0.1 s\n")


def test_what_the_run_is_at_is_a_line_in_a_pipe_and_passes_on_a_terminal() -> None:
    event = Doing(message="updating the package indices")

    assert shown(event) == "updating the package indices\n"
    assert live_lines(advanced(Board(), event, 0.0), 0.0) == [event.message]
    assert live_lines(advanced(advanced(Board(), event, 0.0), planned(), 0.0), 0.0) == [
        "0 built, 1 unchanged, 0 failed, 3 waiting"
    ]


def test_markup_in_a_message_is_shown_as_it_is() -> None:
    assert "[red]x[/red]" in shown(Note(message="[red]x[/red]"), look=LIVE)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Look(terminal=True, color=True)),
        ({"NO_COLOR": "1"}, Look(terminal=True, color=False)),
        ({"NO_COLOR": ""}, Look(terminal=True, color=True)),
        ({"CI": "true"}, Look(terminal=False, color=False)),
        ({"TERM": "dumb"}, Look(terminal=False, color=False)),
    ],
)
def test_the_look_follows_the_environment(environment: dict[str, str], expected: Look) -> None:
    assert look_of(Terminal(), environment) == expected


def test_a_file_is_no_terminal() -> None:
    assert look_of(io.StringIO(), {}) == PLAIN


TABLE = Table(
    columns=("image", "size"),
    rows=(("cron", "1 B"), ("mariadb-server", "12.0 MB")),
    numbers=frozenset(("size",)),
)


def test_in_a_pipe_a_table_is_aligned_text_without_trailing_blanks() -> None:
    out = io.StringIO()

    print_table(TABLE, out, PLAIN)

    assert out.getvalue() == (
        "IMAGE              SIZE\ncron                1 B\nmariadb-server  12.0 MB\n"
    )


def test_on_a_terminal_a_table_has_the_same_cells() -> None:
    out = io.StringIO()

    print_table(TABLE, out, LIVE)

    cells = [line.split(maxsplit=1) for line in out.getvalue().splitlines()]
    assert [[cell.strip() for cell in row] for row in cells if len(row) == 2] == [
        ["image", "size"],
        ["cron", "1 B"],
        ["mariadb-server", "12.0 MB"],
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_499, "999.5 kB"),
        (999_999, "1.0 MB"),
        (2_810_000_000, "2.8 GB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_sizes_read_well(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_times_read_well(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
