"""What tests prove, in words."""

from __future__ import annotations

import pytest

from lamina.docs.proofs import proof
from lamina.model.image import ImageTest

SAID = [
    (ImageTest(run=("cron", "--version")), "`cron --version` succeeds."),
    (ImageTest(run=("test", "-e", "a b"), exit=1), "`test -e 'a b'` ends with status 1."),
    (
        ImageTest(run=("curl", "-V"), stdout="^curl ", exit=2, user="root"),
        "As `root`, `curl -V` ends with status 2 and prints `curl`.",
    ),
    (
        ImageTest(run=("id",), start=("redis-server", "--port", "1")),
        "While `redis-server --port 1` runs, `id` succeeds.",
    ),
    (
        ImageTest(run=("id",), start=("bash", "-euc", "mkdir /a; exec redis-server /a")),
        "While `redis-server /a` runs, `id` succeeds.",
    ),
    (
        ImageTest(run=("id",), start=("bash", "-euc", "mkdir /a\n\nexec uwsgi \\\n  --http=:1\n")),
        "While `uwsgi --http=:1` runs, `id` succeeds.",
    ),
    (
        ImageTest(run=("bash", "-c", "redis-cli get a | grep b")),
        "`redis-cli get a | grep b` succeeds.",
    ),
    (
        ImageTest(run=("python3", "-c", "import ssl"), stdout="x"),
        "`python3 -c 'import ssl'` prints `x`.",
    ),
    (
        ImageTest(run=("python3", "-c", "import ssl\nprint(1)"), stdout="1"),
        "A script (python3, 2 lines) prints `1`.",
    ),
    (ImageTest(run=("bash", "script")), "`bash script` succeeds."),
    (ImageTest(run=("ls", "a" * 200)), f"`ls {'a' * 106}…` succeeds."),
]


@pytest.mark.parametrize(("test", "sentence"), SAID, ids=lambda value: str(value)[:40])
def test_a_test_is_told_in_one_sentence(test: ImageTest, sentence: str) -> None:
    assert proof(test) == sentence


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("hello", "`hello`"),
        ("^hello$", "`hello`"),
        (r"192\.0\.2\.7", "`192.0.2.7`"),
        (r"\(proof\)", "`(proof)`"),
        (r"'\"version\"'", "`'\"version\"'`"),
        ("192.0.2.7", "what matches `192.0.2.7`"),
        (r"a\s+b", r"what matches `a\s+b`"),
        ("^(binary|source)$", "what matches `^(binary|source)$`"),
        (r"a\nb", r"what matches `a\nb`"),
    ],
)
def test_an_expression_that_is_a_plain_text_is_shown_as_one(pattern: str, told: str) -> None:
    assert proof(ImageTest(run=("id",), stdout=pattern)) == f"`id` prints {told}."
