"""What tests prove, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lamina.docs.proofs import proof
from lamina.model.image import ImageTest, Runtime, ServiceTest

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
    assert proof(test, Runtime()) == sentence


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
    assert proof(ImageTest(run=("id",), stdout=pattern), Runtime()) == f"`id` prints {told}."


REDIS = ServiceTest(
    config="{}",
    command="redis-server /etc/redis.conf",
    healthcheck=("healthcheck_listen", "redis-server", "6379"),
)


def test_a_service_is_told_by_what_a_deployment_does_with_it() -> None:
    assert proof(REDIS, Runtime(user="redis:kolla", stop_signal="SIGINT")) == (
        "As a service, by `redis-server /etc/redis.conf`: "
        "healthy by `healthcheck_listen redis-server 6379`; runs as `redis`; "
        "ends within 10 s of `SIGINT`."
    )


def test_a_service_is_told_with_all_that_stands_around_it() -> None:
    test = replace(
        REDIS,
        files={"redis.conf": "bind 127.0.0.1", "acl": ""},
        environment={"NAME": "value"},
        bootstrap={"KOLLA_BOOTSTRAP": "", "KOLLA_ID": "1"},
        prepare=("ip", "link", "add", "proof"),
        run=("redis-cli", "ping"),
        stdout="PONG",
        user="kolla",
        runs_as="nobody",
        stop=3,
    )

    assert proof(test, Runtime(user="redis")) == (
        "As a service, by `redis-server /etc/redis.conf`, with `acl`, `redis.conf`, `NAME=value`, "
        "beside what `ip link add proof` prepares, "
        "after a first run with `KOLLA_BOOTSTRAP`, `KOLLA_ID=1`: "
        "healthy by `healthcheck_listen redis-server 6379`; runs as `nobody`; "
        "as `kolla`, `redis-cli ping` prints `PONG`; ends within 3 s of `SIGTERM`."
    )


def test_a_service_of_root_is_told_to_run_as_root() -> None:
    assert "; runs as `root`; " in proof(REDIS, Runtime())
