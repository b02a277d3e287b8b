from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest
from tests.engine.boxes import Workbench

from lamina.build.proof import DEFAULT_PATH, prove, test_calls, tests_digest
from lamina.engine.sandbox import Stopped
from lamina.engine.stack import Stack
from lamina.errors import ImageTestError
from lamina.model.digest import Digest
from lamina.model.image import Image, ImageId, ImageTest, Kind, Runtime

# Their names are those of tests, and pytest would take them for such.
calls_of, digest_of = test_calls, tests_digest
del test_calls, tests_digest

MANIFEST = Digest.of(b"manifest")
RUNTIME = Runtime()
PLAIN = ImageTest(run=("true",))


def image(*tests: ImageTest, runtime: Runtime = RUNTIME) -> Image:
    return Image(
        id=ImageId("image"),
        kind=Kind.INFRA,
        family="image",
        parent=None,
        runtime=runtime,
        tests=tests,
    )


def test_a_test_runs_as_the_image_does() -> None:
    runtime = Runtime(user="mysql", environment={"A": "b"}, working_dir="/srv")
    test = ImageTest(run=("mariadbd", "--version"), stdout="MariaDB", exit=3, timeout=7)
    (call,) = calls_of(image(test, runtime=runtime), test)
    assert call.argv == ("mariadbd", "--version")
    assert call.environment == {"PATH": DEFAULT_PATH, "A": "b"}
    assert (call.user, call.cwd, call.way, call.retry) == ("mysql", "/srv", "wait", False)
    assert (call.stdout, call.exit, call.timeout) == ("MariaDB", 3, 7)


def test_an_image_has_its_own_path_where_it_says_so() -> None:
    runtime = Runtime(environment={"PATH": "/opt/bin"})
    assert calls_of(image(runtime=runtime), PLAIN)[0].environment == {"PATH": "/opt/bin"}


@pytest.mark.parametrize(
    ("users", "user"),
    [(("", ""), ""), (("mysql", ""), "mysql"), (("mysql", "root"), "root"), (("a:b", ""), "a")],
)
def test_a_test_may_name_another_user(users: tuple[str, str], user: str) -> None:
    test = replace(PLAIN, user=users[1])
    assert calls_of(image(runtime=Runtime(user=users[0])), test)[0].user == user


def test_a_daemon_is_started_before_the_command_that_asks_it() -> None:
    test = ImageTest(run=("ping",), start=("server", "-f"), user="mysql", timeout=9)
    daemon, deciding = calls_of(image(), test)
    assert (daemon.argv, daemon.way, daemon.user) == (("server", "-f"), "background", "mysql")
    assert (deciding.argv, deciding.way, deciding.retry) == (("ping",), "wait", True)
    assert (deciding.user, deciding.timeout) == ("mysql", 9)


def test_a_proof_is_of_these_tests_by_this_user_over_this_manifest() -> None:
    digests = [
        digest_of(image(PLAIN), MANIFEST),
        digest_of(image(PLAIN), Digest.of(b"other")),
        digest_of(image(PLAIN, PLAIN), MANIFEST),
        digest_of(image(PLAIN, runtime=Runtime(user="mysql")), MANIFEST),
        digest_of(image(replace(PLAIN, stdout="x")), MANIFEST),
        digest_of(image(replace(PLAIN, exit=1)), MANIFEST),
    ]
    assert len(set(digests)) == len(digests)
    assert digests[0] == digest_of(image(PLAIN), MANIFEST)


def proven(bench: Workbench, *tests: ImageTest, stop: Event | None = None) -> list[str]:
    steps: list[str] = []
    stack = Stack(lowers=(bench.root,), directories={})
    log = bench.folder / "log"
    work = bench.folder / "work"
    work.mkdir()
    prove(image(*tests), stack, work, log, stop=stop or Event(), on_step=steps.append)
    return steps


@pytest.mark.real
def test_an_image_passes_its_tests(bench: Workbench) -> None:
    serve = "echo up > /tmp/up; exec sleep 60"
    steps = proven(
        bench,
        ImageTest(run=("sh", "-c", "touch /left"), timeout=10),
        ImageTest(run=("sh", "-c", "! test -e /left"), timeout=10),
        ImageTest(run=("cat", "/tmp/up"), start=("sh", "-c", serve), stdout="up", timeout=10),
    )
    assert steps == ["test 1 of 3", "test 2 of 3", "test 3 of 3"]
    assert not (bench.root / "left").exists()


VERDICTS = {
    "the exit code": (
        ImageTest(run=("sh", "-c", "exit 4")),
        "ended with exit code 4, expected 0",
    ),
    "the output": (
        ImageTest(run=("echo", "a"), stdout="b+"),
        "printed nothing that matches 'b+'",
    ),
    "the time": (ImageTest(run=("sleep", "60"), timeout=1), "was not done after 1 s"),
    "the program": (ImageTest(run=("no-such",)), "ended with exit code 127"),
    "the user": (ImageTest(run=("true",), user="no-such"), "ended with exit code 127"),
    "a daemon without its user": (
        ImageTest(run=("true",), start=("true",), user="no-such"),
        "exit code 127",
    ),
}


@pytest.mark.real
@pytest.mark.parametrize("case", VERDICTS)
def test_a_failed_test_says_what_was_wrong(case: str, bench: Workbench) -> None:
    test, verdict = VERDICTS[case]
    with pytest.raises(ImageTestError) as error:
        proven(bench, PLAIN, test)
    fault = error.value.faults[0]
    assert fault.place == "image"
    assert fault.message.startswith("test 2, ")
    assert verdict in fault.message
    assert str(bench.folder / "log") in fault.remedy


@pytest.mark.real
def test_a_test_can_be_stopped(bench: Workbench) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        proven(bench, ImageTest(run=("sleep", "60")), stop=stop)
