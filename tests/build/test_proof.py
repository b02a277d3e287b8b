from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from tests.engine.boxes import Workbench

from lamina.build.proof import DEFAULT_PATH, prove, test_calls, tests_digest
from lamina.engine.sandbox import Stopped
from lamina.engine.stack import Stack
from lamina.errors import ImageTestError
from lamina.model.digest import Digest
from lamina.model.image import Image, ImageId, ImageTest, Kind, Runtime, ServiceTest
from lamina.model.proof import Proof

# Their names are those of tests, and pytest would take them for such.
calls_of, digest_of = test_calls, tests_digest
del test_calls, tests_digest

MANIFEST = Digest.of(b"manifest")
RUNTIME = Runtime()
PLAIN = ImageTest(run=("true",))


def image(*tests: ImageTest | ServiceTest, runtime: Runtime = RUNTIME) -> Image:
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


SERVICE = ServiceTest(config="{}", command="served", healthcheck=("check",))


def test_a_proof_of_a_service_is_of_all_that_starts_it() -> None:
    digests = [
        digest_of(image(replace(SERVICE, **{key: value}), runtime=runtime), MANIFEST)  # type: ignore[arg-type]
        for key, value, runtime in [
            ("config", "{}", RUNTIME),
            ("config", '{"command": "served"}', RUNTIME),
            ("healthcheck", ("other",), RUNTIME),
            ("files", {"a": "b"}, RUNTIME),
            ("files", {"a": "c"}, RUNTIME),
            ("environment", {"a": "b"}, RUNTIME),
            ("bootstrap", {"a": "b"}, RUNTIME),
            ("prepare", ("true",), RUNTIME),
            ("run", ("true",), RUNTIME),
            ("runs_as", "mysql", RUNTIME),
            ("stop", 3, RUNTIME),
            ("loopback", True, RUNTIME),
            ("config", "{}", Runtime(user="mysql")),
            ("config", "{}", Runtime(entrypoint=("dumb-init",))),
            ("config", "{}", Runtime(command=("kolla_start",))),
            ("config", "{}", Runtime(environment={"a": "b"})),
            ("config", "{}", Runtime(stop_signal="SIGUSR1")),
            ("config", "{}", Runtime(working_dir="/srv")),
        ]
    ]
    assert len(set(digests)) == len(digests)


def proven(
    bench: Workbench,
    *tests: ImageTest | ServiceTest,
    stop: Event | None = None,
    lowers: tuple[Path, ...] = (),
    runtime: Runtime = RUNTIME,
) -> tuple[list[str], tuple[Proof, ...]]:
    steps: list[str] = []
    stack = Stack(lowers=(*lowers, bench.root), directories={})
    log = bench.folder / "log"
    work = bench.folder / "work"
    work.mkdir()
    proofs = prove(
        image(*tests, runtime=runtime), stack, work, log, stop=stop or Event(), on_step=steps.append
    )
    return steps, proofs


@pytest.mark.real
def test_an_image_passes_its_tests(bench: Workbench) -> None:
    serve = "echo up > /tmp/up; exec sleep 60"
    steps, proofs = proven(
        bench,
        ImageTest(run=("sh", "-c", "touch /left"), timeout=10),
        ImageTest(run=("sh", "-c", "! test -e /left"), timeout=10),
        ImageTest(run=("cat", "/tmp/up"), start=("sh", "-c", serve), stdout="up", timeout=10),
    )
    assert steps == ["test 1 of 3", "test 2 of 3", "test 3 of 3"]
    assert [proof.test for proof in proofs] == [
        "sh -c touch /left",
        "sh -c ! test -e /left",
        "cat /tmp/up",
    ]
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


# Programs in place of the contract's own, which need Python and sudo: the command is read from the
# mounted config.json, by the image's user, and what it leads to is what it is started with.
DUMB_INIT = """#!/bin/sh
shift 2
"$@" &
child=$!
trap 'kill -TERM $child' TERM
while :; do wait $child; code=$?; kill -0 $child 2>/dev/null || exit $code; done
"""
KOLLA_START = """#!/bin/sh
set -e
[ "$KOLLA_CONFIG_STRATEGY" = COPY_ALWAYS ]
command=$(sed -n 's/^{"command": "\\(.*\\)"}$/\\1/p' /var/lib/kolla/config_files/config.json)
if [ -n "${KOLLA_BOOTSTRAP+set}" ]; then
    echo preparing
    sleep 60 & echo $! > /srv/left
    echo data > /srv/data
    exit ${BOOTSTRAP_CODE:-0}
fi
echo "kolla_start: $command"
exec $command
"""
SERVED = """
cat /srv/data /var/lib/kolla/config_files/greeting > /srv/answer
trap 'echo bye; exit 0' TERM
while :; do sleep 0.1; done
"""
RUN_AS = Runtime(
    user="daemon", entrypoint=("dumb-init", "--single-child", "--"), command=("kolla_start",)
)
START = ServiceTest(
    config='{"command": "sh /var/lib/kolla/config_files/served"}',
    command="served",
    files={"served": SERVED, "greeting": "hello\n"},
    prepare=("chmod", "1777", "/srv"),
    bootstrap={"KOLLA_BOOTSTRAP": ""},
    healthcheck=("sh", "-c", "id -un; test -s /srv/answer"),
    run=("sh", "-c", "id -un; cat /srv/answer; kill -0 $(cat /srv/left) 2>/dev/null || echo alone"),
    stdout=r"\Adaemon\ndata\nhello\nalone\n\Z",
    timeout=20,
)


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A lower directory with the programs that start a service."""
    folder = tmp_path / "contract"
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "srv").mkdir()
    for name, script in {"dumb-init": DUMB_INIT, "kolla_start": KOLLA_START}.items():
        (folder / "usr/bin" / name).write_text(script)
        (folder / "usr/bin" / name).chmod(0o755)
    return folder


@pytest.mark.real
def test_a_service_is_started_asked_and_stopped(bench: Workbench, contract: Path) -> None:
    steps, (proof,) = proven(bench, START, lowers=(contract,), runtime=RUN_AS)

    phases = ["prepare", "bootstrap", "start", "health check", "user", "run", "stop"]
    assert steps == [f"test 1 of 1: {phase}" for phase in phases]
    assert list(proof.phases) == phases
    assert proof.test == "served"
    log = (bench.folder / "log").read_text()
    places = [log.index(f"## {phase}: ") for phase in phases]
    assert places == sorted(places)
    assert "kolla_start: sh /var/lib/kolla/config_files/served\n" in log
    assert "daemon           sh /var/lib/kolla/config_files/served\n" in log
    assert log.endswith("## stop: SIGTERM\nbye\n")
    assert not (bench.root / "srv/data").exists()


def serving(script: str) -> ServiceTest:
    return replace(START, files={"served": script, "greeting": ""})


FOREVER = "while :; do sleep 0.1; done"
FAILED_PHASES = {
    "prepare": (
        replace(START, prepare=("sh", "-c", "echo no interface; exit 2")),
        "ended with exit code 2, expected 0: no interface",
    ),
    "bootstrap": (
        replace(START, environment={"BOOTSTRAP_CODE": "7"}),
        "ended with exit code 7, expected 0: preparing",
    ),
    "start": (
        replace(START, config="{}", environment={"KOLLA_CONFIG_STRATEGY": "NEVER"}, bootstrap={}),
        "the service ended with exit code 1",
    ),
    "health check": (
        serving("echo cannot listen; sleep 0.5; exit 3"),
        "the service ended with exit code 3: kolla_start: sh /var/lib/kolla/config_files/served"
        " | cannot listen",
    ),
    "health check, tried again": (
        replace(serving(FOREVER), healthcheck=("sh", "-c", "echo no port; exit 1"), timeout=2),
        "ended with exit code 1, expected 0, tried for 2 s: no port",
    ),
    "user": (
        replace(START, runs_as="www-data"),
        "its main process, sh, runs as daemon, not as www-data, after 5 s",
    ),
    "run": (
        replace(START, stdout="bonjour", timeout=2),
        "printed nothing that matches 'bonjour': daemon | data | hello | ",
    ),
    "stop": (
        replace(
            serving(f"echo x > /srv/answer; trap 'echo not yet' TERM; {FOREVER}"), run=(), stop=1
        ),
        "the service still ran 1 s after SIGTERM: ",
    ),
}


@pytest.mark.real
@pytest.mark.parametrize("case", FAILED_PHASES)
def test_a_failed_service_test_says_the_phase_and_what_was_seen(
    case: str, bench: Workbench, contract: Path
) -> None:
    test, seen = FAILED_PHASES[case]
    phase = case.partition(",")[0]
    with pytest.raises(ImageTestError) as error:
        proven(bench, test, lowers=(contract,), runtime=RUN_AS)
    message = error.value.faults[0].message
    assert message.startswith(f"test 1, 'served', {phase}: ")
    assert seen in message
