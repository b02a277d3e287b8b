"""Files in YAML: each scalar is a text of its own, and may be a template, as Ansible has it.

Only the parser's events are used, for the places of scalars; nothing is loaded, and comments,
order, quoting and layout are not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import yaml

from lamina.errors import Fault
from lamina.migrate.decide import decide
from lamina.migrate.edit import Edit, Found, Kept, line_of
from lamina.migrate.jinja import NotATemplateError, may_be_template
from lamina.migrate.leaves import yaml_readable
from lamina.migrate.names import Names
from lamina.migrate.references import Doubtful, Reference, moved, references, references_by_line

_BOM = "\ufeff"


class NotYamlError(ValueError):
    """The text is not YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A scalar as it is written: its place without quotes or header, and what it means."""

    start: int
    end: int
    value: str
    key: bool  # of a mapping
    style: str = ""  # its quote, or what begins its header


def scalars(text: str) -> tuple[Scalar, ...]:
    """Return all scalars of a text in YAML, of all its documents, in order.

    Raises `NotYamlError` where the parser does not read it.
    """
    shift = len(_BOM) if text.startswith(_BOM) else 0
    try:
        return tuple(_scalars(text, shift))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise NotYamlError(f"{getattr(error, 'problem', None) or 'no YAML'}{line}") from error


def read_yaml(path: str, text: str, names: Names) -> Found:
    """Return what becomes of the references in a YAML file; see `readers.Reader`."""
    try:
        parts = scalars(text)
    except NotYamlError:
        # A template that becomes YAML later, or a file that only looks like it.
        return read_template(path, text, names)
    found = []
    for scalar in parts:
        here = decide(path, text, names, _references(text, scalar))
        here = _checked(here, path, text, scalar, names)
        found.append(_as_key(here, text) if scalar.key else here)
    together = Found.together(found)
    commented = _in_comments(path, text, names, parts)
    return Found(
        edits=together.edits,
        kept=tuple(sorted((*together.kept, *commented))),
        undecided=together.undecided,
    )


def read_template(path: str, text: str, names: Names) -> Found:
    """Return what becomes of the references in a template of Jinja, or in a text that is none."""
    try:
        found = tuple(references(text, template=True))
    except NotATemplateError:
        found = tuple(references_by_line(text))
    return decide(path, text, names, found)


def _scalars(text: str, shift: int) -> Iterator[Scalar]:
    # The marks of libyaml count from behind a byte order mark.
    readable = yaml_readable(text[shift:])
    keys: list[bool | None] = []  # for each open collection: a key comes next; None: a sequence
    for event in yaml.parse(readable, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            _turn(keys)
            keys.append(True if isinstance(event, yaml.MappingStartEvent) else None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            _turn(keys)
        elif isinstance(event, yaml.ScalarEvent):
            key = bool(keys and keys[-1])
            _turn(keys)
            if event.start_mark is None or event.end_mark is None:
                raise TypeError("libyaml gives every event its marks")
            start, end = event.start_mark.index + shift, event.end_mark.index + shift
            start, end = _inside(text, start, end, event.style)
            yield Scalar(start=start, end=end, value=event.value, key=key, style=event.style or "")


def _turn(keys: list[bool | None]) -> None:
    """Note that a key or a value of the innermost mapping has begun."""
    if keys and keys[-1] is not None:
        keys[-1] = not keys[-1]


def _inside(text: str, start: int, end: int, style: str | None) -> tuple[int, int]:
    """Return the place of a scalar's own text: behind anchor, tag and header, within quotes."""
    if style in ("'", '"'):
        opening = text.index(style, start)
        return opening + 1, end - 1
    if style in ("|", ">"):
        header = text.find("\n", text.index(style, start), end)
        return (header + 1 if header >= 0 else end), end
    return start, end


def _references(text: str, scalar: Scalar) -> Iterator[Reference | Doubtful]:
    part = text[scalar.start : scalar.end]
    # A quote in quotes is none for Jinja with its escape, which must not move any place.
    if scalar.style == '"':
        part = part.replace('\\"', ' "')
    elif scalar.style == "'":
        part = part.replace("''", " '")
    try:
        found = tuple(references(part, template=may_be_template(part)))
    except NotATemplateError:
        found = tuple(references_by_line(part))
    for one in moved(found, scalar.start):
        yield _as_written(one, text) if isinstance(one, Reference) else one


def _as_written(reference: Reference, text: str) -> Reference:
    """Return a reference with its parts as the file has them, escapes included."""
    behind = reference.start + len(reference.distro)
    type_ = text[behind + 1 : behind + 1 + len(reference.type_)]
    return replace(reference, distro=text[reference.start : behind], type_=type_)


def _checked(found: Found, path: str, text: str, scalar: Scalar, names: Names) -> Found:
    """Return what was found if the scalar's meaning names the same images as its writing.

    Escapes and folds can hide a name, or end one.
    """
    part = text[scalar.start : scalar.end]
    if part == scalar.value or ("\\" not in part and "''" not in part):
        return found
    meant = Scalar(start=0, end=len(scalar.value), value=scalar.value, key=scalar.key)
    wanted = decide(path, scalar.value, names, _references(scalar.value, meant))
    if [edit.image for edit in wanted.edits] == [edit.image for edit in found.edits]:
        return found
    fault = Fault(
        f"{path}:{line_of(text, scalar.start)}",
        "an escape is a part of an image's name",
        "write the name without escapes, or change it by hand",
    )
    return Found(undecided=(fault,))


def _as_key(found: Found, text: str) -> Found:
    """Return the edits of a key as undecided: a key that is renamed is another parameter."""
    faults = tuple(
        Fault(
            f"{edit.path}:{line_of(text, edit.start)}",
            f"'{edit.old}' is a key, which something else may look up",
            f"change it to '{edit.new}' together with what looks it up",
        )
        for edit in found.edits
    )
    return Found(kept=found.kept, undecided=(*found.undecided, *faults))


def _in_comments(path: str, text: str, names: Names, parts: tuple[Scalar, ...]) -> Iterator[Kept]:
    """Return what is named outside of all scalars: in comments, which stay as they are."""
    gaps = zip(
        (0, *(one.end for one in parts)), (*(one.start for one in parts), len(text)), strict=True
    )
    for start, end in gaps:
        edits: tuple[Edit, ...] = ()
        if end > start:
            found = moved(references_by_line(text[start:end]), start)
            edits = decide(path, text, names, found).edits
        for edit in edits:
            line = line_of(text, edit.start)
            yield Kept(path=path, line=line, name=edit.image, reason="in a comment")
