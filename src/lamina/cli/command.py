"""A command whose help teaches: a paragraph, examples, and what its exit codes mean."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click


def typed() -> str:
    """Return the command line that runs, as it can be typed again."""
    return shlex.join(["lamina", *click.get_current_context().find_root().obj])


class Command(click.Command):
    """A command with examples and exit codes in its help."""

    def __init__(
        self,
        *args: Any,
        examples: Mapping[str, str],
        exit_codes: Mapping[int, str],
        **attributes: Any,
    ) -> None:
        """Take what each example does, by command line, and what each exit code means."""
        super().__init__(*args, **attributes)
        self.examples = MappingProxyType(dict(examples))
        self.exit_codes = MappingProxyType(dict(exit_codes))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and exit codes below the options."""
        with formatter.section("Examples"):
            for line, meaning in self.examples.items():
                formatter.write(f"{'':{formatter.current_indent}}$ {line}\n")
                with formatter.indentation():
                    formatter.write_text(meaning)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in self.exit_codes.items()])
