"""The index: a table of all images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lamina.docs.entry import Entry, page_of
from lamina.docs.markdown import link, prose, table
from lamina.model.offer import Offers


def index_page(entries: Sequence[Entry], offers: Sequence[Offers]) -> str:
    """Return the page that leads to those of all families."""
    return "\n\n".join(
        [
            "# All images",
            _counts(entries),
            _distros(offers),
            table(
                ("Image", "Kind", "What it is", "Parent", "Builds for"),
                (_row(entry) for entry in entries),
            ),
        ]
    )


def _counts(entries: Sequence[Entry]) -> str:
    kinds = Counter(entry.image.kind for entry in entries)
    families = len({entry.image.family for entry in entries})
    told = " and ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    return f"{len(entries)} images of {families} families: {told}."


def _distros(offers: Sequence[Offers]) -> str:
    built = ", ".join(prose(one.distro) for one in offers if one.built)
    others = ", ".join(prose(one.distro) for one in offers if not one.built)
    named = f" The entries name packages for {others} as well." if others else ""
    return f"Images are built for {built}.{named}"


def _row(entry: Entry) -> tuple[str, ...]:
    image, parent = entry.image, entry.parent
    return (
        link(entry.name, page_of(image.family), entry.name),
        image.kind,
        prose(image.summary),
        link(parent.id.name, page_of(parent.family), parent.id.name) if parent else "",
        ", ".join(map(prose, entry.built_for)) or _why_not(entry),
    )


def _why_not(entry: Entry) -> str:
    reasons = {why for who, why in entry.reasons.items() if who in entry.built}
    return f"none: {prose('; '.join(sorted(reasons)))}"
