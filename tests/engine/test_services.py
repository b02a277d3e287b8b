"""Services in a sandbox: kept as a container is, looked at, stopped."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from tests.engine.boxes import VARIABLES, Workbench

from lamina.engine.sandbox import SERVICE_CAPABILITIES, Bind, Call, End, Look, Sandbox, Step, run
from lamina.errors import BuildError

pytestmark = pytest.mark.real

# Holds a child and hands it signals, as dumb-init does.
HOLDER = """#!/bin/sh
"$@" &
child=$!
trap 'kill -TERM $child' TERM
while :; do wait $child; code=$?; kill -0 $child 2>/dev/null || exit $code; done
"""
FOREVER = "while :; do sleep 0.1; done"


def sh(script: str, **options: object) -> Call:
    return Call(argv=("/bin/sh", "-c", script), environment=VARIABLES, **options)  # type: ignore[arg-type]


def service(script: str = FOREVER, *holder: str, user: str = "") -> Call:
    return Call(
        argv=(*holder, "/bin/sh", "-c", script),
        environment=VARIABLES,
        user=user,
        service="it",
        way="background",
    )


def look(**options: object) -> Look:
    return Look(service="it", timeout=1, init="holder", prelude="prelude", **options)  # type: ignore[arg-type]


def end(timeout: float = 5) -> End:
    return End(service="it", signal=signal.SIGTERM, timeout=timeout)


@pytest.fixture
def box(bench: Workbench, tmp_path: Path) -> Sandbox:
    """A sandbox with the capabilities of services, and two programs."""
    programs = tmp_path / "programs" / "srv"
    programs.mkdir(parents=True)
    for name, script in {"holder": HOLDER, "prelude": '#!/bin/sh\nsleep 0.4\nexec "$@"\n'}.items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    return bench.box(lowers=[tmp_path / "programs"], capabilities=SERVICE_CAPABILITIES)


def test_a_service_is_what_its_holder_started(box: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f": > /tmp/up; {FOREVER}"
    calls: list[Step] = [
        service(script, "/srv/holder", user="daemon"),
        # Until then it may still be the holder's fork.
        sh("until [ -e /tmp/up ]; do sleep 0.05; done"),
        look(user="daemon", rootless=True, title="the processes"),
    ]
    assert [result.good for result in run(box, calls, log=log)] == [True, True, True]
    told = log.read_text()
    assert "daemon           /bin/sh /srv/holder" in told
    assert f"daemon           /bin/sh -c {script}\n" in told


def test_what_leads_to_a_service_is_waited_for(box: Sandbox) -> None:
    began = time.monotonic()
    results = run(box, [service(FOREVER, "/srv/holder", "/srv/prelude"), look()])
    assert results[1].good
    assert time.monotonic() - began > 0.4


def test_a_service_that_does_not_begin_is_told(box: Sandbox) -> None:
    call = Call(argv=("/srv/prelude", "sleep", "60"), service="it", way="background")
    slow = Look(service="it", timeout=0.1, prelude="prelude")
    result = run(box, [call, slow])[1]
    assert (result.good, result.output) == (False, "prelude has not come to its command")


@pytest.mark.parametrize(
    ("runs", "wanted", "seen"),
    [
        ("", "daemon", "its main process, sh, runs as root, not as daemon"),
        ("daemon", "root", "its main process, sh, runs as daemon, not as root"),
        ("daemon", "no-such", "the image has no user no-such"),
    ],
)
def test_a_main_process_of_another_user_is_told(
    runs: str, wanted: str, seen: str, box: Sandbox
) -> None:
    result = run(box, [service(user=runs), look(user=wanted)])[1]
    assert (result.good, result.output) == (False, seen)


@pytest.mark.parametrize(("seconds", "good"), [("60", False), ("0.6", True)])
def test_a_process_of_root_below_a_service_is_told(
    seconds: str, box: Sandbox, *, good: bool
) -> None:
    calls: list[Step] = [
        sh("cp /bin/sleep /srv/rooted; chmod 4755 /srv/rooted"),
        service(f"/srv/rooted {seconds} & {FOREVER}", user="daemon"),
        sh("cat /proc/[0-9]*/comm; true", stdout="^rooted$", retry=True),
        look(user="daemon", rootless=True),
    ]
    result = run(box, calls)[3]
    # It may stop being root's in time.
    assert result.good == good
    assert good or re.fullmatch(r"its process \d+, rooted, is root's", result.output)


def test_an_early_end_is_told_at_once(box: Sandbox) -> None:
    began = time.monotonic()
    check = sh("exit 1", retry=True, timeout=60, beside="it")
    result = run(box, [service("echo on the way; sleep 0.4; echo no port >&2; exit 3"), check])[1]
    assert (result.good, result.code, result.ended) == (False, None, 3)
    assert result.output == "on the way\nno port\n"
    assert time.monotonic() - began < 20


def test_an_early_end_is_not_waited_out_by_what_hangs(box: Sandbox) -> None:
    began = time.monotonic()
    result = run(box, [service("sleep 0.4; exit 4"), sh("sleep 60", timeout=60, beside="it")])[1]
    assert (result.good, result.ended) == (False, 4)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("later", [look(), end()])
def test_an_early_end_is_seen_by_whatever_comes_later(later: Look | End, box: Sandbox) -> None:
    results = run(box, [service("echo gone; kill -SEGV $$"), sh("sleep 0.3"), later])
    assert (results[2].good, results[2].ended, results[2].output) == (False, -11, "gone\n")


def test_a_program_that_is_not_there_ends_early(box: Sandbox) -> None:
    call = Call(argv=("no-such",), environment=VARIABLES, service="it", way="background")
    result = run(box, [call, look()])[1]
    assert (result.ended, result.output) == (127, "no-such: command not found\n")


def test_a_service_ends_by_its_signal(box: Sandbox) -> None:
    script = f"trap 'echo bye; exit 5' TERM; echo up > /up; {FOREVER}"
    result = run(box, [service(script, "/srv/holder"), sh("cat /up", retry=True), end()])[2]
    assert (result.good, result.code) == (True, 5)
    assert result.output.endswith("bye\n")
    assert result.seconds < 4


def test_a_service_that_does_not_end_is_told(box: Sandbox) -> None:
    script = f"trap 'echo never' TERM; echo up > /up; {FOREVER}"
    result = run(box, [service(script), sh("cat /up", retry=True), end(0.5)])[2]
    assert (result.good, result.code, result.output) == (False, None, "never\n")
    assert 0.5 <= result.seconds < 3


def test_orphans_come_to_a_services_first_process(box: Sandbox) -> None:
    script = f"sh -c 'sleep 60 & echo $! > /orphan'; echo $$ > /first; {FOREVER}"
    asked = "sed -n 's/^PPid:.//p' /proc/$(cat /orphan)/status; cat /first"
    calls = [service(script), sh("test -s /first", retry=True), sh(asked)]
    parent, first = run(box, calls)[2].output.split()
    assert parent == first


def test_what_a_service_leaves_ends_with_it(box: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "log"
    neighbour = "(while :; do echo here; sleep 0.1; done) & echo $! > /neighbour"
    leaving = "sh -c 'setsid sleep 60 & echo $! > /left'; touch /kept"
    calls = [
        sh(neighbour, lasting=True),
        sh(leaving, service="first"),
        sh("test -e /kept; kill -0 $(cat /neighbour); ! kill -0 $(cat /left); sleep 0.5"),
    ]
    results = run(box, calls, log=log)
    assert [result.good for result in results] == [True, True, True]
    # The neighbour could go on printing when the call that started it was over.
    assert log.read_text().count("here\n") > 3


def test_a_service_may_open_its_standard_output_anew(box: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo opened > /dev/stdout && echo again > /dev/stderr; echo up > /tmp/up; {FOREVER}"
    run(box, [service(script, user="daemon"), sh("cat /tmp/up", retry=True)], log=log)
    assert "opened\nagain\n" in log.read_text()


def test_a_service_that_goes_on_printing_holds_nobody(box: Sandbox) -> None:
    began = time.monotonic()
    results = run(box, [service("yes"), look(), sh("echo done", beside="it"), end()])
    assert [result.good for result in results] == [True] * 4
    assert results[2].output == "done\n"
    assert len(results[3].output) <= 1 << 13
    assert time.monotonic() - began < 20


def test_a_bind_can_be_anywhere(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir(mode=0o755)
    (tmp_path / "files/config.json").write_text("{}")
    box = bench.box(
        binds=[
            Bind(source=tmp_path / "files", target="/var/lib/kolla/config_files"),
            Bind(source=tmp_path / "files/config.json", target="/etc/new/config.json"),
        ]
    )
    script = """
        stat -c '%a %U %n' /var/lib/kolla /var/lib/kolla/config_files
        cat /var/lib/kolla/config_files/config.json /etc/new/config.json
        touch /var/lib/kolla/config_files/x /var/lib/kolla/y
    """
    result = run(box, [sh(script)])[0]
    assert result.output.splitlines()[:3] == [
        "755 root /var/lib/kolla",
        "755 root /var/lib/kolla/config_files",
        "{}{}touch: cannot touch '/var/lib/kolla/config_files/x': Read-only file system",
    ]
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["config.json"]


@pytest.mark.parametrize("link", ["var/lib/kolla", "var/lib/kolla/config_files"])
def test_an_image_cannot_lead_a_bind_elsewhere(link: str, bench: Workbench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = tmp_path / "lower" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    bind = Bind(source=tmp_path, target="/var/lib/kolla/config_files")
    with pytest.raises(BuildError, match=f"/{link} of the image is no directory"):
        run(bench.box(lowers=[tmp_path / "lower"], binds=[bind]), [sh("true")])
    assert not list(elsewhere.iterdir())


def test_an_image_cannot_lead_the_bind_of_a_file_elsewhere(
    bench: Workbench, tmp_path: Path
) -> None:
    (tmp_path / "lower/etc").mkdir(parents=True)
    (tmp_path / "lower/etc/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").touch()
    bind = Bind(source=tmp_path / "file", target="/etc/link")
    with pytest.raises(BuildError, match="the sandbox cannot be made"):
        run(bench.box(lowers=[tmp_path / "lower"], binds=[bind]), [sh("true")])
    assert not (tmp_path / "elsewhere").exists()
