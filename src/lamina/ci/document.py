"""YAML files as pipelines have them: scripts in literal blocks, and how the file was made."""

from __future__ import annotations

from typing import Any

import yaml

# What files of every version begin with.
MARK = "# Made by `lamina ci"
_WIDTH = 100


def document(value: Any, *, command: str) -> str:
    """Return `value` as the text of a YAML file that says how it was made."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)
    return f"{header(command)}\n{text}"


def header(command: str) -> str:
    """Return the comment that says which command made a file, and makes it anew."""
    made = command.removeprefix("lamina ci")
    return (
        f"{MARK}{made}`.\n"
        "# Change the catalogue or the options, not this file, and run that again;\n"
        "# with --check it tells whether the file is up to date.\n"
    )


class _Dumper(yaml.SafeDumper):
    """A dumper of indented lists and, for texts of several lines, literal blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key, as people write them."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value wherever it is used: no pipeline needs to know of YAML's aliases."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
