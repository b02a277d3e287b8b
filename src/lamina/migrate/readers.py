"""How each sort of file is read, by what its path looks like.

A reader is a pure function: from a file's path, its text and the names to what becomes of the
references in it. To have a further sort of file understood, write one and put it into `READERS`,
before those that would take its files otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lamina.migrate.decide import decide
from lamina.migrate.edit import Found
from lamina.migrate.leaves import is_yaml
from lamina.migrate.names import Names
from lamina.migrate.references import references_by_line
from lamina.migrate.tripleo.code import is_code, read_code
from lamina.migrate.tripleo.overrides import is_overrides, read_overrides
from lamina.migrate.tripleo.prepare import is_environment, read_environment
from lamina.migrate.tripleo.template import is_template as is_tripleo_template
from lamina.migrate.tripleo.template import read_template as read_tripleo_template
from lamina.migrate.yaml_text import read_template, read_yaml

# A text without any of these names no image that could change: most files are not looked at.
_HINT = re.compile(
    r"-(?:binary|source|infra)-|install_type|base_distro|-\$\{?\w+\}?-|-\{[{%]"
    r"|-(?:\{[\w.\[\]]*\}|%s|%\(\w+\)s|<[\w -]+>)-"
)

_ANY = re.compile("")


class Reader(Protocol):
    """Read one file; `path` is relative to the tree, with `/`."""

    def __call__(self, path: str, text: str, names: Names, /) -> Found:
        """Return what becomes of the references in `text`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """A sort of files, and how it is read."""

    name: str
    recognises: Callable[[str, str], bool]  # from path and text
    reader: Reader
    hint: re.Pattern[str] = _HINT  # what a text must have in it to be worth reading


def read_text(path: str, text: str, names: Names) -> Found:
    """Return what becomes of the references in a text of any sort."""
    return decide(path, text, names, references_by_line(text))


def _ends(*suffixes: str) -> Callable[[str, str], bool]:
    return lambda path, _text: path.lower().endswith(suffixes)


def _both(one: Reader, other: Reader) -> Reader:
    """Return a reader that finds what two find, each in places of its own."""

    def read_both(path: str, text: str, names: Names, /) -> Found:
        return Found.together((one(path, text, names), other(path, text, names)))

    return read_both


READERS: tuple[Sort, ...] = (
    Sort(
        name="template of TripleO's images",
        recognises=is_tripleo_template,
        reader=read_tripleo_template,
        hint=_ANY,
    ),
    Sort(
        name="environment with ContainerImagePrepare",
        recognises=is_environment,
        reader=read_environment,
        hint=_ANY,
    ),
    Sort(
        name="overrides of kolla's templates",
        recognises=is_overrides,
        reader=_both(read_template, read_overrides),
        hint=_ANY,
    ),
    Sort(
        name="program that takes names apart",
        recognises=is_code,
        reader=_both(read_text, read_code),
        hint=_ANY,
    ),
    Sort(name="template", recognises=_ends(".j2", ".jinja", ".jinja2"), reader=read_template),
    Sort(name="yaml", recognises=lambda path, _text: is_yaml(path), reader=read_yaml),
    Sort(name="text", recognises=lambda _path, _text: True, reader=read_text),
)
"""The first sort that recognises a file reads it."""


def read(path: str, text: str, names: Names) -> Found:
    """Return what becomes of the references in a file."""
    sort = next(sort for sort in READERS if sort.recognises(path, text))
    return sort.reader(path, text, names) if sort.hint.search(text) else Found()
