"""Command lines that are wrong: `tests/cases/cli/CASE/command` in, `expected` out."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Lamina

CASES = Path(__file__).parents[1] / "cases" / "cli"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_a_wrong_command_line_is_told_what_is_wrong_and_what_to_do(
    case: str, lamina: Lamina, folder: Path
) -> None:
    shutil.copytree(CASES / case, folder, dirs_exist_ok=True)
    words = shlex.split((CASES / case / "command").read_text())
    begin = words.index("lamina")
    environment = dict(word.split("=", 1) for word in words[:begin])

    ran = lamina(*words[begin + 1 :], **environment)

    told = f"exit code {ran.code}\n--- standard output\n{ran.out}--- standard error\n{ran.err}"
    assert told.replace(str(folder), "FOLDER") == (CASES / case / "expected").read_text()


def test_whoever_types_a_wrong_command_line_gets_exit_code_2_and_a_remedy() -> None:
    for case in sorted(CASES.iterdir()):
        code, *lines = (case / "expected").read_text().splitlines()
        assert code == "exit code 2", case.name
        message = lines[lines.index("--- standard error") + 1 :]
        assert any(line.startswith("  ") for line in message), case.name
