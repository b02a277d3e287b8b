"""What is to be compared, as people say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.diff import Prefix, Reference, Word, find_manifest, parse_reference
from lamina.errors import UsageError
from lamina.model.digest import Digest
from lamina.model.image import ImageId

ZEBRA, YAK = ImageId("zebra"), ImageId("yak")
DIGITS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("current", Word.CURRENT),
        ("previous", Word.PREVIOUS),
        ("01234567", Prefix(digits="01234567")),
        ("sha256:01234567", Prefix(digits="01234567")),
        (f"sha256:{DIGITS}", Prefix(digits=DIGITS)),
        ("0123456", Path("0123456")),
        ("./01234567", Path("01234567")),
        ("lamina.lock.json", Path("lamina.lock.json")),
        ("/srv/fleet/old.json", Path("/srv/fleet/old.json")),
    ],
)
def test_a_word_a_digest_or_a_path_is_meant(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text", ["sha256:", "sha256:0123456", "sha256:0123ABCD", f"sha256:{DIGITS}0"]
)
def test_a_digest_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"{text}: not a digest\n  give 8 to 64 of its hex digits"):
        parse_reference(text)


def digest(first: str) -> Digest:
    return Digest(first.ljust(64, "0"))


MANIFESTS = {
    digest("aaaaaaaa1"): ZEBRA,
    digest("aaaaaaaa2"): ZEBRA,
    digest("bbbbbbbb1"): ZEBRA,
    digest("bbbbbbbb2"): YAK,
    digest("cccccccc1"): YAK,
}


@pytest.mark.parametrize("first", ["aaaaaaaa1", "bbbbbbbb"])
def test_the_one_manifest_of_the_image_that_begins_so_is_found(first: str) -> None:
    found = find_manifest(Prefix(digits=first), MANIFESTS, ZEBRA)

    assert found.hex.startswith(first)
    assert MANIFESTS[found] == ZEBRA


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (
            "aaaaaaaa",
            "sha256:aaaaaaaa: 2 manifests of 'zebra' begin so\n"
            "  say 'aaaaaaaa1000' or 'aaaaaaaa2000'",
        ),
        (
            "cccccccc",
            "sha256:cccccccc: a manifest of 'yak', not of 'zebra'\n"
            "  compare two states of one image",
        ),
        (
            "dddddddd",
            "sha256:dddddddd: no manifest of 'zebra' in the store begins so\n"
            "  `lamina list --json` shows the current one; earlier ones end with `lamina gc`",
        ),
    ],
)
def test_a_digest_that_is_unknown_or_of_several_is_told_with_what_to_do(
    first: str, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        find_manifest(Prefix(digits=first), MANIFESTS, ZEBRA)

    assert str(caught.value) == told
