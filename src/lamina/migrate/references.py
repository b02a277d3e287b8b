"""Where a text names images, in full or composed by a template; by whole names only.

A name is a word of its own: what is a part of a longer word, of a path, of a host's name or of a
registry's namespace is none. A template's expressions are masked, each by as many characters as
it has, so that one grammar serves plain text and templates, and places stay the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from lamina.migrate.jinja import NotATemplateError, Part, Piece, may_be_template, pieces_of
from lamina.model.image import Type
from lamina.model.names import DISTRO_WORDS, INFRA

# Characters for private use: nobody's file has them, and a file that does keeps them (see _mask).
_FIRST = {Part.DISTRO: "\ue000", Part.TYPE: "\ue001", Part.VALUE: "\ue002", Part.TAG: "\ue003"}
_MORE = "\ue00f"
_PRIVATE = re.compile("[\ue000-\ue00f]")

_DISTRO = rf"(?:{'|'.join(DISTRO_WORDS)}|\ue000\ue00f*+)"
_TYPE = rf"(?:{'|'.join((*Type, INFRA))}|\ue001\ue00f*+)"
_VALUE = r"\ue002\ue00f*+"
# OCI distribution specification 1.1, section "Pulling manifests": one component of a name.
_NAME = r"[a-z0-9]++(?:(?:[._]|__|-++)[a-z0-9]++)*+"
_BEFORE = r"(?:(?<![A-Za-z0-9_.-])|(?<=\\[nrt]))"

_REFERENCE = re.compile(rf"{_BEFORE}(?P<distro>{_DISTRO})-(?P<type>{_TYPE})-(?P<name>{_NAME})")
_WORD = rf"(?:{'|'.join(DISTRO_WORDS)})"
_SHELL = r"\$\{?\w+\}?"
# What a program or a document has in the place of a word that it fills in.
_BLANK = r"(?:\{\{[^{}\n]*\}\}|\{[\w.\[\]]*\}|%s|%\(\w+\)s|<[\w -]+>)"
# Ways in which a name is put together while something runs; `name` is what is written of it.
_COMPUTED = tuple(
    re.compile(pattern)
    for pattern in (
        # The name itself is an expression, a pattern, or missing.
        rf"{_BEFORE}{_DISTRO}-{_TYPE}-(?![A-Za-z0-9])(?P<name>)",
        # Some expression where the type belongs, or the distribution.
        rf"\ue000\ue00f*+-{_VALUE}-(?P<name>{_NAME})",
        rf"{_BEFORE}{_WORD}-{_VALUE}-(?P<name>{_NAME})",
        rf"{_VALUE}-{_TYPE}-(?P<name>{_NAME})",
        # One expression for both.
        rf"(?<!-)\ue001\ue00f*+-(?P<name>{_NAME})",
        # The type chosen by a tag.
        rf"{_BEFORE}{_DISTRO}-\ue003\S*?(?<=[\ue003\ue00f])-(?P<name>{_NAME})",
        # The same in a shell.
        rf"(?:{_BEFORE}{_DISTRO}|{_SHELL})-{_SHELL}-(?P<name>{_NAME})",
        rf"{_SHELL}-(?:{'|'.join(Type)})-(?P<name>{_NAME})",
        # The same in a program, a document or a pattern.
        rf"(?:{_BEFORE}{_DISTRO}|{_SHELL}|{_BLANK})-{_BLANK}-(?P<name>{_NAME})",
        rf"(?:{_BLANK}|(?<!\*)\*|[\])]|(?<=['\"])|^)-(?:{'|'.join(Type)})-(?P<name>{_NAME})",
    )
)
# What may stand before a name and belong to it: a registry, a namespace, a path.
_LEAD = re.compile(r"[A-Za-z0-9._/:@~+%${}\ue000-\ue00f-]")
_PATH = re.compile(r"(?:^|:)(?:/|\.{1,2}/|~)")
_SHELL_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
# Variables that hold the first parts of a reference, by their names in deployments' files.
_LEADS = re.compile(r"registry|namespace|repository|image|mirror", re.IGNORECASE)
_FOLDERS = re.compile(r"dir|path|folder|root|home", re.IGNORECASE)
_HOST = re.compile(r":\d+/|:/")
_PINNED = re.compile(r"(?::[\w.-]+)?@[a-z0-9]+:")
_ESCAPED_SPACE = re.compile(r"""\\(?:\r?\n|[nrt"'\\])""")


class Why(Enum):
    """Why nobody can say what a reference is to become."""

    COMPUTED = auto()  # the name, or its type, only exists once something has run
    PINNED = auto()  # a digest belongs to one name's manifest
    ADDRESS = auto()  # a part of an address, which need not be a reference
    LEAD = auto()  # behind a variable that may be a folder as well as a namespace
    GOES_ON = auto()  # a pattern, or more of the name, stands right behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A place where an image is named: distribution, type and name, as they are written."""

    start: int
    end: int
    distro: str
    type_: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """A place that may name the image `name`; no name: any image."""

    start: int
    end: int
    name: str
    why: Why


def references(text: str, *, template: bool) -> Iterator[Reference | Doubtful]:
    """Return the references in `text`, in order; `template`: its expressions are Jinja's.

    Raises `NotATemplateError` where Jinja does not read a template.
    """
    pieces = pieces_of(text) if template else ()
    found = list(_in_masked(text, _mask(text, pieces), pieces))
    for piece in pieces:
        found += _in_strings(text, piece)
    yield from _apart(sorted(found, key=lambda one: (one.start, -one.end)))


def _apart(found: Iterable[Reference | Doubtful]) -> Iterator[Reference | Doubtful]:
    """Return what was found without overlaps; `found` is in order.

    A reference in an expression that is a part of another reference makes that one doubtful.
    """
    doubtful_to = 0
    last: Reference | Doubtful | None = None  # a reference that waits for what it may contain
    for one in found:
        if last is not None and one.start < last.end:
            if isinstance(one, Reference):
                last = Doubtful(start=last.start, end=last.end, name=last.name, why=Why.COMPUTED)
            continue
        if isinstance(one, Doubtful):
            if one.start >= doubtful_to:
                doubtful_to = one.end
                yield one
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


def references_by_line(text: str) -> Iterator[Reference | Doubtful]:
    """Return the references in a text that is no template, though some lines may be."""
    at = 0
    for line in text.splitlines(keepends=True):
        try:
            found = tuple(references(line, template=may_be_template(line)))
        except NotATemplateError:
            found = tuple(references(line, template=False))
        yield from moved(found, at)
        at += len(line)


def moved(found: Iterable[Reference | Doubtful], by: int) -> Iterator[Reference | Doubtful]:
    """Return what was found in a part of a text by its place in the whole."""
    for one in found:
        if isinstance(one, Reference):
            yield Reference(
                start=one.start + by,
                end=one.end + by,
                distro=one.distro,
                type_=one.type_,
                name=one.name,
            )
        else:
            yield Doubtful(start=one.start + by, end=one.end + by, name=one.name, why=one.why)


def _mask(text: str, pieces: Iterable[Piece]) -> str:
    """Return `text` with one character of its part for each of an expression."""
    plain = _PRIVATE.sub("\ufffd", text)
    masked = []
    at = 0
    for piece in pieces:
        if piece.part is Part.TEXT:
            continue
        first = _FIRST.get(piece.part, _FIRST[Part.TAG])
        masked += [plain[at : piece.start], first + _MORE * (piece.end - piece.start - 1)]
        at = piece.end
    return "".join((*masked, plain[at:]))


def _in_masked(text: str, masked: str, pieces: tuple[Piece, ...]) -> Iterator[Reference | Doubtful]:
    for match in _REFERENCE.finditer(masked):
        start, end = match.span()
        doubt = _doubt(masked, start, end, pieces)
        if doubt is False:
            continue
        name = match["name"]
        if isinstance(doubt, Why):
            yield Doubtful(start=start, end=end, name=name, why=doubt)
            continue
        yield Reference(
            start=start,
            end=end,
            distro=text[slice(*match.span("distro"))],
            type_=text[slice(*match.span("type"))],
            name=name,
        )
    for computed in _COMPUTED:
        for match in computed.finditer(masked):
            behind = masked[match.end() : match.end() + 1]
            if not match["name"] or not (behind.isalnum() or behind in ("_", "-", "/")):
                start, end = match.span()
                yield Doubtful(start=start, end=end, name=match["name"], why=Why.COMPUTED)


def _in_strings(text: str, piece: Piece) -> Iterator[Reference | Doubtful]:
    """Return what the string constants of an expression name."""
    for start, end in piece.strings:
        constant = text[start:end]
        yield from moved(references(constant, template=False), start)
        if piece.part is Part.TYPE and constant.startswith("-"):
            yield Doubtful(start=start, end=end, name=constant[1:], why=Why.COMPUTED)


def _doubt(masked: str, start: int, end: int, pieces: tuple[Piece, ...]) -> Why | bool:
    """Return why the name at this place is in doubt; True: not at all; False: it is no image's."""
    at = start
    while at and _LEAD.match(masked, at - 1):
        at -= 1
    before = _before(masked[at:start], start, pieces)
    if before is not True:
        return before
    return _behind(masked, start, end, pieces)


def _before(lead: str, start: int, pieces: tuple[Piece, ...]) -> Why | bool:
    if lead.endswith(("@", "~", "%", "+")):
        return False
    if "/" not in lead:
        return True
    scheme, address, _ = lead.rpartition("://")
    if address:
        return True if scheme.endswith("docker") else Why.ADDRESS
    if _PATH.search(lead) or "//" in lead:
        return False
    at = start - len(lead)
    variables = [name for piece in pieces if at <= piece.start < start for name in piece.variables]
    variables += _SHELL_VARIABLE.findall(lead)
    holds = any(_LEADS.search(name) for name in variables)
    if variables and (not holds or any(_FOLDERS.search(name) for name in variables)):
        return Why.LEAD
    return True


def _behind(masked: str, start: int, end: int, pieces: tuple[Piece, ...]) -> Why | bool:
    rest = masked[end : end + 200]
    if not rest or _ESCAPED_SPACE.match(rest):
        return True
    if _PINNED.match(rest):
        return Why.PINNED
    first = rest[0]
    if first.isalnum() or first in "_-/@" or _HOST.match(rest) or re.match(r"\.\w", rest):
        return False
    if first == "\ue003":
        tag = next((piece for piece in pieces if piece.start == end), None)
        branch = tag is None or tag.word.startswith(("end", "el"))
        return True if branch else Why.GOES_ON
    if first == "*":  # bold and slanted text in documents has a star on either side
        return True if masked[start - 1 : start] == "*" else Why.GOES_ON
    return Why.GOES_ON if first in "\ue000\ue001\ue002$%{[(\\+?^#~" else True
