from __future__ import annotations

import pytest

from lamina.oci.entry import Entry, EntryKind
from lamina.storage import squash_deltas


def entry(text: str) -> Entry:
    """`f etc/passwd 10` is a file of ten bytes, `d`, `l`, `w`, `o` a directory, a hard link
    (with its target behind), a whiteout, an opaque directory's mark.
    """
    kind, path, *rest = text.split()
    match kind:
        case "f":
            size = int(rest[0])
            return Entry(path=path, kind=EntryKind.FILE, size=size, source=f"/{path} {size}")
        case "l":
            return Entry(path=path, kind=EntryKind.HARDLINK, target=rest[0])
        case _:
            kinds = {"d": EntryKind.DIRECTORY, "w": EntryKind.WHITEOUT, "o": EntryKind.OPAQUE}
            return Entry(path=path, kind=kinds[kind])


def text(one: Entry) -> str:
    words = {EntryKind.DIRECTORY: "d", EntryKind.WHITEOUT: "w", EntryKind.OPAQUE: "o"}
    match one.kind:
        case EntryKind.FILE:
            return f"f {one.path} {one.size}"
        case EntryKind.HARDLINK:
            return f"l {one.path} {one.target}"
        case _:
            return f"{words[one.kind]} {one.path}"


def squashed(*deltas: str, rooted: bool = False) -> list[str]:
    """Squash deltas, the lowest first, entries parted by commas."""
    parsed = [tuple(entry(one) for one in delta.split(", ") if one) for delta in deltas]
    return [text(one) for one in squash_deltas(parsed, rooted=rooted)]


@pytest.mark.parametrize(
    ("deltas", "result"),
    [
        (("f a 1", "f b 2"), "f a 1, f b 2"),
        (("f a 1", "f a 2"), "f a 2"),
        (("d e, f e/a 1", "d e, f e/b 2"), "d e, f e/a 1, f e/b 2"),
        (("f a 1", "w a"), "w a"),
        (("w a", "f a 2"), "f a 2"),
        (("d e, f e/a 1, f f 1", "w e"), "w e, f f 1"),
        (("d e, f e/a 1", "f e 2"), "f e 2"),
        # A directory in place of a file or a whiteout shows nothing of the layers below either.
        (("f e 2", "d e, f e/a 1"), "d e, o e, f e/a 1"),
        (("w e", "d e, f e/a 1"), "d e, o e, f e/a 1"),
        (("d e, f e/a 1", "d e, o e, f e/b 2"), "d e, o e, f e/b 2"),
        (("d e, o e, f e/a 1", "d e, f e/b 2"), "d e, o e, f e/a 1, f e/b 2"),
        (("d e, f e/a 1", "w e", "d e, f e/b 1"), "d e, o e, f e/b 1"),
        ((), ""),
    ],
)
def test_one_delta_does_what_several_did(deltas: tuple[str, ...], result: str) -> None:
    assert squashed(*deltas) == [one for one in result.split(", ") if one]


def test_what_reaches_down_to_the_root_needs_no_whiteouts() -> None:
    deltas = ("d e, f e/a 1, w b", "w e", "d e, f e/c 1")

    assert squashed(*deltas) == ["w b", "d e", "o e", "f e/c 1"]
    assert squashed(*deltas, rooted=True) == ["d e", "f e/c 1"]


@pytest.mark.parametrize(
    ("deltas", "result"),
    [
        (("f a 3, l b a", "f c 1"), "f a 3, l b a, f c 1"),
        # The file is another one, or gone: the first name that is left becomes what it was.
        (("f a 3, l b a, l c a", "f a 9"), "f a 9, f b 3, l c b"),
        (("f a 3, l b a", "w a"), "w a, f b 3"),
        (("f a 3, l b a", "f b 9"), "f a 3, f b 9"),
        (("d e, f e/a 3, l f e/a", "w e"), "w e, f f 3"),
    ],
)
def test_hard_links_keep_their_content(deltas: tuple[str, ...], result: str) -> None:
    assert squashed(*deltas) == result.split(", ")
