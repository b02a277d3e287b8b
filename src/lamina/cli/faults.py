"""From what went wrong to what a person or a script is told: the one place."""

from __future__ import annotations

import json
import os
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import click

from lamina.errors import Fault, LaminaError

INTERRUPTED = 130  # 128 and the number of SIGINT, as shells report it


def exit_code_of(run: Callable[[], Any], words: Sequence[str]) -> int:
    """Run a command line of these words; report what goes wrong and return the exit code.

    Faults go to standard error as text; with `--json` also to standard output, as
    `{"error": {"code": ..., "faults": [...]}}`.
    """
    try:
        result = run()
    except LaminaError as error:
        return _report(error.faults, error.exit_code, words)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _report((_usage_fault(error),), 2, words)
    except (click.Abort, KeyboardInterrupt):
        return _report((Fault("", "interrupted"),), INTERRUPTED, words)
    except Exception as error:  # what nobody foresaw: the one net, for a message instead of a dump
        return _report((_unexpected(error),), 1, words)
    return result if isinstance(result, int) else 0


def _report(faults: Sequence[Fault], code: int, words: Sequence[str]) -> int:
    for fault in faults:
        click.echo(str(fault), err=True)
    options = words[: words.index("--")] if "--" in words else words
    if "--json" in options:
        told = [
            {"place": fault.place, "message": fault.message, "remedy": fault.remedy}
            for fault in faults
        ]
        click.echo(json.dumps({"error": {"code": code, "faults": told}}, indent=2))
    return code


def _usage_fault(error: click.ClickException) -> Fault:
    """Say click's complaint in lamina's form."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    place = context.command_path if context else "lamina"
    remedy = f"`{place} --help` shows how it is used"
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        message = f"no option '{error.option_name}'"
        if error.possibilities:
            remedy = f"did you mean '{error.possibilities[0]}'?"
    return Fault(place, f"{message[:1].lower()}{message[1:]}".removesuffix("."), remedy)


def _unexpected(error: Exception) -> Fault:
    if os.environ.get("LAMINA_DEBUG"):
        traceback.print_exception(error)
        where = "the traceback stands above"
    else:
        with tempfile.NamedTemporaryFile(
            "w", prefix="lamina-", suffix=".log", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exception(error, file=file)
        where = f"the traceback is in {file.name}"
    summary = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    return Fault("", f"an error in lamina itself: {summary}", where)
