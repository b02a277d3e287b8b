"""Programs of the system are run and spoken to, and say what went wrong."""

from __future__ import annotations

import time

import pytest

from lamina import system
from lamina.errors import BuildError, UsageError
from lamina.model.url import without_credentials


def test_a_program_is_run_with_its_arguments_as_they_are() -> None:
    done = system.run(["printf", "%s|", "a b", "$HOME", "; exit 3"])
    assert done.output == "a b|$HOME|; exit 3|"
    assert done.code == 0


def test_the_exit_code_and_both_outputs_are_kept() -> None:
    done = system.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.output, done.messages) == (3, "out\n", "err\n")


def test_an_environment_takes_the_place_of_ours() -> None:
    assert system.output_of(["/usr/bin/env"], environment={"ONLY": "this"}) == "ONLY=this\n"


@pytest.mark.parametrize(
    ("program", "package"),
    [("mmdebstrap-of-nowhere", "mmdebstrap-of-nowhere"), ("/nowhere/dpkg-deb", "dpkg")],
)
def test_a_missing_program_names_its_package(program: str, package: str) -> None:
    with pytest.raises(UsageError, match=f"is not installed\n  apt-get install {package}$"):
        system.run([program])
    with pytest.raises(UsageError), system.conversation([program]):
        pass
    with pytest.raises(UsageError):
        system.path_of(program)


def test_a_failure_tells_the_programs_last_words() -> None:
    with pytest.raises(BuildError, match="sh failed with exit code 2: no such thing"):
        system.output_of(["sh", "-c", "echo no such thing >&2; exit 2"])


def test_a_program_answers_line_by_line() -> None:
    with system.conversation(["sh", "-c", "while read a; do echo got $a; done"]) as program:
        assert [program.ask("one"), program.ask("two")] == ["got one", "got two"]


def test_a_program_that_ends_instead_of_answering_is_told_with_its_words() -> None:
    with (
        system.conversation(["sh", "-c", "read a; echo lost >&2; exit 4"]) as program,
        pytest.raises(BuildError, match="exit code 4: lost"),
    ):
        program.ask("one")


def test_a_killed_program_is_told_from_a_failed_one() -> None:
    with (
        system.conversation(["sh", "-c", "read a; kill -9 $$"]) as program,
        pytest.raises(BuildError, match="killed by signal 9"),
    ):
        program.ask("one")


def test_a_program_does_not_outlive_a_fault_of_ours() -> None:
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError), system.conversation(["sleep", "30"]):
        raise ZeroDivisionError
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@mirror.example/x", "https://mirror.example/x"),
        ("E: http://me:p@ss@a.example/x and https://t@b/", "E: http://a.example/x and https://b/"),
        ("https://mirror.example/a@b", "https://mirror.example/a@b"),
        ("root@mirror.example", "root@mirror.example"),
    ],
)
def test_credentials_are_left_out_of_every_address(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
