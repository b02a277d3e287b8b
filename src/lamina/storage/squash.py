"""Several deltas as one: what the topmost shows, with whiteouts and hard links as they must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lamina.engine.stack import ancestors
from lamina.oci.entry import Entry, EntryKind, layer_order


def squash_deltas(deltas: Sequence[Sequence[Entry]], *, rooted: bool) -> tuple[Entry, ...]:
    """Return the entries of one delta that does what `deltas` do, the lowest first.

    A `rooted` one has no whiteouts: there is nothing below that they could hide.
    """
    shown: dict[str, Entry] = {}
    opaque: dict[str, Entry] = {}
    closed: set[str] = set()  # what lies below these paths shows of no further delta
    for delta in reversed(deltas):
        visible = [entry for entry in delta if closed.isdisjoint(ancestors(entry.path))]
        for entry in visible:
            above = shown.setdefault(entry.path, entry)
            if entry.kind is not EntryKind.DIRECTORY and above.kind is EntryKind.DIRECTORY:
                # The directory took the place of this, and shows nothing from below it.
                mark = Entry(path=entry.path, kind=EntryKind.OPAQUE, mtime=entry.mtime)
                opaque.setdefault(entry.path, mark)
        closed.update(entry.path for entry in visible if entry.kind is not EntryKind.DIRECTORY)
        shown.update(_mended(delta, shown))
    if rooted:
        kept = [entry for entry in shown.values() if entry.kind is not EntryKind.WHITEOUT]
    else:
        kept = [*shown.values(), *opaque.values()]
    return tuple(sorted(kept, key=layer_order))


def _mended(delta: Sequence[Entry], shown: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    """Yield those hard links of `delta`, by path, whose file shows no more, as they must be."""
    files = {entry.path: entry for entry in delta if entry.kind is not EntryKind.HARDLINK}
    heirs: dict[str, str] = {}
    for entry in delta:
        if entry.kind is not EntryKind.HARDLINK or shown.get(entry.path) is not entry:
            continue
        file = files[entry.target]
        if shown.get(entry.target) is file:
            continue
        heir = heirs.setdefault(entry.target, entry.path)
        # The first name left becomes the file.
        mended = replace(file, path=heir) if heir == entry.path else replace(entry, target=heir)
        yield entry.path, mended
