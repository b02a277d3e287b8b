"""What went wrong decides the exit code, and is told in one form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from lamina.build.fleet import RunResult
from lamina.cli.faults import exit_code_of
from lamina.cli.outcomes import exit_code, result_values, show_result, show_tests
from lamina.errors import (
    BuildError,
    CatalogError,
    Fault,
    ImageTestError,
    LaminaError,
    LockError,
    NetworkError,
    StoreError,
    UsageError,
)
from lamina.model.event import ImageDone, Outcome
from lamina.model.image import ImageId
from lamina.model.proof import Proof


def raises(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (BuildError, 1),
        (StoreError, 1),
        (UsageError, 2),
        (CatalogError, 2),
        (LockError, 2),
        (ImageTestError, 3),
        (NetworkError, 4),
    ],
)
def test_who_must_act_decides_the_exit_code(
    capsys: pytest.CaptureFixture[str], kind: type[LaminaError], code: int
) -> None:
    error = kind(Fault("a:1", "first", "mend it"), Fault("b:2", "second"))

    assert exit_code_of(raises(error), ["build"]) == code
    assert capsys.readouterr() == ("", "a:1: first\n  mend it\nb:2: second\n")


def test_with_json_an_error_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = NetworkError.one("no answer", place="debian")

    assert exit_code_of(raises(error), ["build", "--json"]) == 4

    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "error": {
            "code": 4,
            "faults": [{"place": "debian", "message": "no answer", "remedy": ""}],
        }
    }
    assert err == "debian: no answer\n"


def test_json_behind_two_dashes_is_the_commands_own(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(raises(UsageError.one("no")), ["run", "cron", "--", "x", "--json"])

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_ends_with_130(
    capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    assert exit_code_of(raises(error), []) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_what_nobody_foresaw_is_a_short_message_and_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("LAMINA_DEBUG", raising=False)

    assert exit_code_of(raises(KeyError("lost")), []) == 1

    (file,) = tmp_path.iterdir()
    assert capsys.readouterr().err == (
        f"an error in lamina itself: KeyError: 'lost'\n  the traceback is in {file}\n"
    )
    assert "Traceback" in file.read_text()


def test_for_whoever_mends_lamina_the_traceback_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMINA_DEBUG", "1")

    assert exit_code_of(raises(KeyError("lost")), []) == 1
    assert "Traceback" in capsys.readouterr().err


def a_result(*outcomes: Outcome) -> RunResult:
    done = [
        ImageDone(
            image=ImageId(f"image-{number}"),
            outcome=outcome,
            seconds=1.25 if outcome in ("built", "failed") else 0.0,
            message="by base" if outcome == "blocked" else "",
            log="/logs/x.log" if outcome in ("built", "failed") else "",
        )
        for number, outcome in enumerate(outcomes)
    ]
    return RunResult(outcomes={one.image: one for one in done}, built={})


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((), 0),
        (("built", "unchanged", "tested"), 0),
        (("built", "blocked"), 0),
        (("built", "failed", "blocked"), 1),
        (("test failed", "built"), 3),
        (("test failed", "failed"), 1),
        (("test failed", "not fetched", "blocked"), 4),
        (("not fetched", "failed"), 1),
        (("failed", "interrupted"), 130),
    ],
)
def test_the_worst_outcome_decides_the_exit_code(outcomes: tuple[Outcome, ...], code: int) -> None:
    assert exit_code(a_result(*outcomes)) == code


def test_a_result_as_json_has_counts_and_every_image() -> None:
    assert result_values(a_result("built", "unchanged", "blocked")) == {
        "counts": {"built": 1, "unchanged": 1, "blocked": 1},
        "images": [
            {"image": "image-0", "outcome": "built", "seconds": 1.25, "log": "/logs/x.log"},
            {"image": "image-1", "outcome": "unchanged", "seconds": 0.0},
            {"image": "image-2", "outcome": "blocked", "seconds": 0.0, "message": "by base"},
        ],
    }


def test_a_run_ends_with_what_failed_and_how_to_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_result(a_result("built", "unchanged", "failed", "blocked"), again="lamina build x+")

    assert capsys.readouterr().out.splitlines() == [
        "IMAGE    OUTCOME   TIME  WHY",
        "image-0  built    1.2 s",
        "image-2  failed   1.2 s",
        "image-3  blocked         by base",
        "1 built, 1 unchanged, 1 failed, 1 blocked",
        "log of image-2: /logs/x.log",
        "to go on: `lamina build x+`; what is finished stays",
    ]


PROOFS = (
    Proof(test="served --version", seconds=0.1),
    Proof(test="served --help", seconds=0.1),
    Proof(
        test="served -f",
        seconds=4.2,
        phases={"bootstrap": 3.0, "start": 0.5, "health check": 0.2, "user": 0.1, "stop": 0.4},
    ),
)


def a_tested_image() -> RunResult:
    done = ImageDone(image=ImageId("served"), outcome="tested", seconds=4.5, proofs=PROOFS)
    failed = ImageDone(
        image=ImageId("other"), outcome="test failed", seconds=0.0, message="test 1, ...\n  see log"
    )
    return RunResult(outcomes={one.image: one for one in (done, failed)}, built={})


def test_tests_end_with_what_they_have_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_tests(a_tested_image(), again="lamina test")

    shown = (
        "2 commands; bootstrapped in 3.0 s, started in 0.5 s, healthy after 0.2 s, stopped in 0.4 s"
    )
    gap = " " * len(shown)
    assert capsys.readouterr().out.splitlines() == [
        f"IMAGE   OUTCOME      TESTS   TIME  SHOWN{gap[5:]}  WHY",
        f"served  tested           3  4.5 s  {shown}",
        f"other   test failed                {gap}  test 1, ...",
        "1 tested, 1 test failed",
        "to go on: `lamina test`; what is finished stays",
    ]


def test_tests_as_json_have_the_seconds_of_every_phase() -> None:
    first, _ = result_values(a_tested_image())["images"]
    assert first["tests"] == [
        {"test": "served --version", "seconds": 0.1},
        {"test": "served --help", "seconds": 0.1},
        {"test": "served -f", "seconds": 4.2, "phases": dict(PROOFS[2].phases)},
    ]


def test_a_run_without_failures_needs_no_advice(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(a_result("unchanged", "unchanged"), again="lamina build")

    assert capsys.readouterr().out == "2 unchanged\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--version"], 0), (["lsit"], 2), (["list", "--distro", "debian-0"], 2), ([], 2)],
)
def test_the_process_ends_with_the_code(words: list[str], code: int, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lamina", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
    )

    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) == bool(code)


def test_a_reader_that_goes_away_is_no_error_of_laminas(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    lamina = subprocess.Popen(
        [sys.executable, "-m", "lamina", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
    )
    assert lamina.stdout is not None
    lamina.stdout.close()

    _, messages = lamina.communicate()

    assert messages == b""
