"""From references to edits: what becomes of each place that names an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from lamina.errors import Fault
from lamina.migrate.edit import Edit, Found, Kept, line_of
from lamina.migrate.names import Names
from lamina.migrate.references import Doubtful, Reference, Why


def decide(path: str, text: str, names: Names, references: Iterable[Reference | Doubtful]) -> Found:
    """Return what becomes of the `references` in a file's text."""
    edits, kept, undecided = [], [], []
    for one in references:
        place = f"{path}:{line_of(text, one.start)}"
        if isinstance(one, Doubtful):
            # An image that keeps its name is in no doubt.
            if not one.name or names.is_moved(one.name):
                undecided.append(_fault(place, text[one.start : one.end], one.why))
            continue
        answer = names.rename(one.name, distro=one.distro, type_=one.type_)
        if isinstance(answer, str):
            line = line_of(text, one.start)
            kept.append(Kept(path=path, line=line, name=one.name, reason=answer))
            continue
        edits.append(
            Edit(
                path=path,
                start=one.start,
                end=one.end,
                old=text[one.start : one.end],
                new=answer.new,
                image=answer.image.id.name,
                kind=answer.image.kind,
                reason=answer.reason,
            )
        )
    return Found(edits=tuple(edits), kept=tuple(kept), undecided=tuple(undecided))


def _fault(place: str, text: str, why: Why) -> Fault:
    match why:
        case Why.COMPUTED:
            return Fault(
                place,
                f"'{text}': an image's name is put together here",
                "see whether it can be that of an infra image, and change it by hand",
            )
        case Why.PINNED:
            return Fault(
                place,
                f"'{text}' is pinned by a digest, which may not be there under a new name",
                "write the new name with the digest that was published for it",
            )
        case Why.ADDRESS:
            return Fault(
                place,
                f"'{text}' is a part of an address",
                "change it by hand if the address leads to the image",
            )
        case Why.LEAD:
            return Fault(
                place,
                f"'{text}' is behind a variable that may be a folder",
                "change it by hand if it is an image",
            )
        case Why.GOES_ON:
            return Fault(
                place,
                f"'{text}' goes on with a pattern or an expression",
                "change it by hand if it means the image",
            )
    assert_never(why)
