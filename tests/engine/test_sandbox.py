from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from tests.engine.boxes import VARIABLES, Workbench, mounts_of, processes_with

from lamina.engine.sandbox import (
    SERVICE_CAPABILITIES,
    Bind,
    Call,
    Result,
    Sandbox,
    Stopped,
    prepare,
    run,
)
from lamina.errors import BuildError

pytestmark = pytest.mark.real


def sh(script: str, **options: object) -> Call:
    return Call(argv=("/bin/sh", "-c", script), environment=VARIABLES, **options)  # type: ignore[arg-type]


def marker() -> str:
    """Return an argument for sleep(1) that no other process has."""
    return f"600.{uuid4().int % 10**12:012}"


def eventually(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_calls_run_in_order_over_one_file_system(bench: Workbench) -> None:
    box = bench.box()
    results = run(box, [sh("echo 1 > /new"), sh("echo 2 >> /new"), sh("cat /new")])
    assert [result.code for result in results] == [0, 0, 0]
    assert results[2].output == "1\n2\n"
    assert (box.upper / "new").read_text() == "1\n2\n"
    assert sorted(path.name for path in box.upper.iterdir()) == ["new"]


def test_what_is_below_is_never_written(bench: Workbench, tmp_path: Path) -> None:
    lower = tmp_path / "lower"
    lower.mkdir()
    (lower / "file").write_text("below")
    box = bench.box(lowers=[lower])
    assert run(box, [sh("echo above > /file; rm -r /usr/share; chmod 700 /var")])[0].good
    assert (lower / "file").read_text() == "below"
    assert (box.upper / "file").read_text() == "above\n"
    assert (bench.root / "usr/share").is_dir()


def test_the_topmost_lower_directory_shows(bench: Workbench, tmp_path: Path) -> None:
    for name in ("top", "middle"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    result = run(bench.box(lowers=[tmp_path / "top", tmp_path / "middle"]), [sh("cat /file")])[0]
    assert result.output == "top"


def test_the_first_call_that_is_not_good_is_the_last(bench: Workbench) -> None:
    results = run(bench.box(), [sh("exit 0"), sh("exit 3"), sh("exit 0")])
    assert [(result.code, result.good) for result in results] == [(0, True), (3, False)]


@pytest.mark.parametrize(
    ("call", "code", "matches", "good"),
    [
        (sh("exit 5", exit=5), 5, True, True),
        (sh("exit 5", exit=4), 5, True, False),
        (sh("echo ab12c", stdout=r"b\d+c"), 0, True, True),
        (sh("echo abc >&2", stdout="^abc$"), 0, True, True),
        (sh("echo a; echo b; echo c", stdout="^b$"), 0, True, True),
        (sh("echo abc", stdout="x"), 0, False, False),
        (sh("kill -TERM $$"), -15, True, False),
        (Call(argv=("no-such-program",), environment=VARIABLES), 127, True, False),
        (Call(argv=("/etc/passwd",), environment=VARIABLES), 127, True, False),
        (Call(argv=("true",)), 0, True, True),
        (Call(argv=("true",), environment={"PATH": "/nowhere"}), 127, True, False),
        (Call(argv=("pwd",), cwd="/usr", environment=VARIABLES, stdout="^/usr$"), 0, True, True),
        (Call(argv=("pwd",), cwd="/nowhere", environment=VARIABLES), 127, True, False),
        (Call(argv=("echo", "a\0b"), environment=VARIABLES), 127, True, False),
        (Call(argv=("env",), environment={"A": "b"}, stdout=r"\AA=b\n\Z"), 0, True, True),
    ],
)
def test_a_result_tells_code_and_output(
    call: Call, code: int, matches: bool, good: bool, bench: Workbench
) -> None:
    result = run(bench.box(), [call])[0]
    assert (result.code, result.matches, result.good) == (code, matches, good)


def test_a_program_that_cannot_be_started_says_why(bench: Workbench) -> None:
    result = run(bench.box(), [Call(argv=("no-such-program",), environment=VARIABLES)])[0]
    assert result.output == "no-such-program: command not found\n"


def test_the_log_has_titles_and_output(bench: Workbench, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    run(bench.box(), [sh("echo one; echo two >&2", title="first"), sh("echo three")], log=log)
    assert log.read_text() == "before\n## first\none\ntwo\nthree\n"


def test_results_are_told_as_they_come(bench: Workbench) -> None:
    told: list[tuple[int, Result, float]] = []

    def on_result(number: int, result: Result) -> None:
        told.append((number, result, time.monotonic()))

    results = run(bench.box(), [sh("true"), sh("sleep 0.5")], on_result=on_result)
    assert [(number, result) for number, result, _ in told] == list(enumerate(results))
    assert told[1][2] - told[0][2] > 0.3


def test_long_output_is_kept_in_part_and_logged_in_full(bench: Workbench, tmp_path: Path) -> None:
    log = tmp_path / "log"
    size = 3 << 20
    result = run(bench.box(), [sh(f"head -c {size} /dev/zero | tr '\\0' x")], log=log)[0]
    assert len(result.output) == 1 << 20
    assert log.stat().st_size == size


def test_output_need_not_be_text(bench: Workbench) -> None:
    assert run(bench.box(), [sh(r"printf '\377\376x'")])[0].output == "��x"


def visible(folder: Path) -> Bind:
    """Return a bind by whose source the mounts of a sandbox are found in /proc."""
    return Bind(source=folder, target="/tmp/visible")


def test_a_call_that_takes_too_long_is_killed(bench: Workbench, tmp_path: Path) -> None:
    mark = marker()
    began = time.monotonic()
    box = bench.box(binds=[visible(tmp_path)])
    results = run(box, [sh(f"echo begun; sleep {mark} & sleep {mark}", timeout=0.5), sh("true")])
    assert [(result.code, result.good) for result in results] == [(None, False)]
    assert results[0].output == "begun\n"
    assert 0.5 <= time.monotonic() - began < 3
    assert not processes_with(mark)
    assert not mounts_of(tmp_path)


def test_a_program_that_closes_its_output_is_waited_for(bench: Workbench) -> None:
    began = os.times()
    result = run(bench.box(), [sh("exec >&- 2>&-; sleep 1; exit 4")])[0]
    ended = os.times()
    assert result.code == 4
    spent = ended.children_user + ended.children_system
    assert spent - began.children_user - began.children_system < 0.6


def test_a_daemon_that_goes_on_printing_does_not_hold_its_call(bench: Workbench) -> None:
    began = time.monotonic()
    result = run(bench.box(), [sh("(trap '' PIPE; yes) & exit 0", timeout=30)])[0]
    assert result.good
    assert time.monotonic() - began < 5


def test_a_program_that_takes_its_own_output_does_not_hold_its_call(bench: Workbench) -> None:
    thief = "cat /proc/self/fd/1 > /dev/null & while :; do echo x; done"
    began = time.monotonic()
    result = run(bench.box(), [sh(thief, timeout=1)])[0]
    assert result.code is None
    assert time.monotonic() - began < 5


def test_orphans_are_taken_at_once(bench: Workbench) -> None:
    # start-stop-daemon and others wait until the process that they stopped is gone.
    script = """
        sh -c 'sleep 0.2 & echo $! > /pid'
        n=0; while kill -0 $(cat /pid) 2>/dev/null; do n=$((n+1)); sleep 0.05; done; echo $n
    """
    result = run(bench.box(), [sh(script, timeout=5)])[0]
    assert result.good
    assert int(result.output) < 20


def test_stop_ends_everything_within_a_second(bench: Workbench, tmp_path: Path) -> None:
    mark = marker()
    stop = threading.Event()
    box = bench.box(binds=[visible(tmp_path)])
    seen: list[object] = []
    stopped: list[float] = []

    def stop_later() -> None:
        eventually(lambda: len(processes_with(mark)) > 2)
        seen.append(mounts_of(tmp_path))
        stopped.append(time.monotonic())
        stop.set()

    thread = threading.Thread(target=stop_later)
    thread.start()
    with pytest.raises(Stopped):
        run(box, [sh(f"trap '' TERM INT HUP; setsid sleep {mark} & sleep {mark}")], stop=stop)
    assert time.monotonic() - stopped[0] < 1
    thread.join()
    assert seen[0]
    # At once, not soon: the caller removes the folder now.
    assert not processes_with(mark)
    assert not mounts_of(tmp_path)


def test_stop_that_was_set_before_runs_nothing_to_its_end(bench: Workbench) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        run(bench.box(), [sh("sleep 60")], stop=stop)


PROGRAM = """
import sys
import threading
from pathlib import Path
from lamina.engine.sandbox import Bind, Call, Sandbox, prepare, run

folder = Path(sys.argv[2])
bind = Bind(source=folder, target="/tmp/visible")
box = Sandbox(lowers=(Path(sys.argv[1]),), folder=folder, binds=(bind,))
prepare(box)
way = sys.argv[4]
calls = [Call(argv=("/bin/sh", "-c", sys.argv[3]), way=way)]
if way == "background":
    calls.append(Call(argv=("/bin/sh", "-c", sys.argv[3])))
if way == "foreground":
    sys.exit(run(box, calls)[0].code)
thread = threading.Thread(target=run, args=(box, calls))
thread.start()
thread.join()
"""


def python(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", PROGRAM, *arguments], text=True, **options
    )


@pytest.mark.parametrize("way", ["wait", "background", "foreground"])
def test_nothing_is_left_when_lamina_is_killed(way: str, bench: Workbench, tmp_path: Path) -> None:
    mark = marker()
    folder = tmp_path / "box"
    folder.mkdir()
    script = f"trap '' TERM INT HUP; setsid sleep {mark} & sleep {mark}; exit"
    process = python(str(bench.root), str(folder), script, way, stdin=subprocess.DEVNULL)
    try:
        assert eventually(lambda: len(processes_with(mark)) > 3, 20)
        assert mounts_of(folder)
    finally:
        process.kill()
        process.wait()
    assert eventually(lambda: not processes_with(mark))
    assert eventually(lambda: not processes_with(str(folder)))
    assert eventually(lambda: not mounts_of(folder))


def test_foreground_returns_the_exit_code_and_uses_the_callers_files(
    bench: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    process = python(
        str(bench.root),
        str(folder),
        "read line; echo got $line; echo wrong >&2; exit 7",
        "foreground",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, messages = process.communicate("hello\n", timeout=30)
    assert (process.returncode, output, messages) == (7, "got hello\n", "wrong\n")


def test_an_interrupt_is_for_the_program_in_the_foreground(
    bench: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    process = python(
        str(bench.root),
        str(folder),
        "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done",
        "foreground",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (9, "caught\n")


def test_a_daemon_runs_beside_the_call_that_asks_it(bench: Workbench, tmp_path: Path) -> None:
    log = tmp_path / "log"
    results = run(
        bench.box(),
        [
            sh("echo starting; sleep 0.5; echo answer > /answer; sleep 60", way="background"),
            sh("cat /answer", retry=True, stdout="answer", timeout=20),
        ],
        log=log,
    )
    assert [result.good for result in results] == [True, True]
    assert results[1].output == "answer\n"
    assert "starting\n" in log.read_text()


def test_trying_again_ends_with_the_time(bench: Workbench) -> None:
    began = time.monotonic()
    result = run(bench.box(), [sh("exit 6", retry=True, timeout=1)])[0]
    assert (result.code, result.good) == (6, False)
    assert 0.5 <= time.monotonic() - began < 3


def test_a_call_that_hangs_is_not_tried_again(bench: Workbench) -> None:
    result = run(bench.box(), [sh("sleep 60", retry=True, timeout=0.5)])[0]
    assert result.code is None


def test_of_what_was_tried_again_the_last_that_ended_is_told(bench: Workbench) -> None:
    script = "test -e /tried && sleep 60; touch /tried; echo first; exit 6"
    result = run(bench.box(), [sh(script, retry=True, timeout=1.5)])[0]
    assert (result.good, result.code, result.output) == (False, 6, "first\n")
    assert 1.5 <= result.seconds < 5


def accounts(folder: Path) -> Path:
    """Make a lower directory with users and groups, some lines of them odd."""
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/passwd").write_bytes(
        b"root:x:0:0:root:/root:/bin/sh\nbroken line\nodd:x:many:0::/:/bin/sh\n"
        b"mysql:x:999:998:\xff:/var/lib/mysql:/usr/sbin/nologin\n"
    )
    (folder / "etc/group").write_bytes(
        b"root:x:0:\nmysql:x:998:\n\xff:x:1:\nextra:x:700:other,mysql\nmore:x:600:mysql\n"
        b"none:x:500:mysqld\nbad:x:few:mysql\n"
    )
    return folder


WHO = "id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status"


@pytest.mark.parametrize("user", ["mysql", "999"])
def test_a_call_can_be_another_users(user: str, bench: Workbench, tmp_path: Path) -> None:
    box = bench.box(lowers=[accounts(tmp_path / "accounts")])
    call = Call(argv=("/bin/sh", "-c", WHO), environment={"PATH": "/usr/bin"}, user=user)
    lines = run(box, [call])[0].output.splitlines()
    assert lines[:2] == ["999", "998"]
    assert sorted(lines[2].split()) == ["600", "700", "998"]
    assert lines[3] == "/var/lib/mysql"
    assert lines[4].split()[1] == "0" * 16


@pytest.mark.parametrize("way", ["wait", "background", "foreground"])
@pytest.mark.parametrize("user", ["nobody-here", "odd", "broken line", "12345"])
def test_a_user_that_is_not_there_is_said(
    user: str, way: str, bench: Workbench, tmp_path: Path
) -> None:
    box = bench.box(lowers=[accounts(tmp_path / "accounts")])
    log = tmp_path / "log"
    results = run(box, [sh("true", user=user, way=way), sh("true")], log=log)
    assert [(result.code, result.good) for result in results] == [(127, False)]
    assert results[0].output == f"/bin/sh: the image has no user {user}\n"
    assert results[0].output in log.read_text()


def test_a_user_may_be_made_by_an_earlier_call(bench: Workbench) -> None:
    add = "echo new:x:1234:0::/:/bin/sh >> /etc/passwd"
    assert run(bench.box(), [sh(add), sh("id -u", user="new")])[1].output == "1234\n"


def test_every_user_can_enter_whatever_the_umask(bench: Workbench) -> None:
    before = os.umask(0o077)
    try:
        box = bench.box()
        results = run(box, [sh("ls /etc/passwd; umask; touch /tmp/x", user="nobody")])
    finally:
        os.umask(before)
    assert results[0].output == "/etc/passwd\n0022\n"
    assert results[0].good


def test_loopback_is_there_where_it_is_asked_for(bench: Workbench) -> None:
    script = """perl -MIO::Socket::INET -e '
        $server = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or exit 1;
        IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $server->sockport) or exit 2;'
    """
    assert bench.shell(script, loopback=True).code == 0
    assert bench.shell(script, loopback=False).code == 2


def test_a_service_may_configure_its_own_network_and_nothing_more(bench: Workbench) -> None:
    caps = "grep -E 'Cap(Eff|Bnd|Amb|Inh)' /proc/self/status"
    service = bench.shell(caps, capabilities=SERVICE_CAPABILITIES).output.split()
    install = bench.shell(caps).output.split()
    assert service[3] == service[5] == f"{sum(1 << n for n in SERVICE_CAPABILITIES):016x}"
    assert install[3] == install[5] == "00000000a00401fb"
    assert service[1] == install[1] == service[7] == install[7] == "0" * 16


def test_programs_start_with_plain_signals_and_no_open_files(bench: Workbench) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = bench.shell("grep SigIgn /proc/self/status; ls /proc/self/fd | tr '\\n' ' '")
    finally:
        signal.signal(signal.SIGHUP, before)
    title, ignored, *files = result.output.split()
    # 32 and 33 are the C library's own: it lets nobody set them, and they pass as they came.
    assert (title, int(ignored, 16) & ~(0b11 << 31)) == ("SigIgn:", 0)
    assert files == ["0", "1", "2", "3"]  # 3: ls itself


def test_a_crash_leaves_no_memory_image(bench: Workbench) -> None:
    box = bench.box()
    assert run(box, [sh("cd /root; ulimit -c; kill -SEGV $$")])[0].code == -signal.SIGSEGV
    assert not list(box.upper.rglob("*core*"))


def test_binds_are_seen_and_leave_nothing(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("in folder")
    (tmp_path / "file").write_text("alone")
    (tmp_path / "out").mkdir()
    box = bench.box(
        binds=[
            Bind(source=tmp_path / "folder", target="/tmp/a/folder"),
            Bind(source=tmp_path / "file", target="/tmp/a/b/file"),
            Bind(source=tmp_path / "out", target="/tmp/out", read_only=False),
        ]
    )
    script = "cat /tmp/a/folder/file /tmp/a/b/file; echo x > /tmp/out/new; echo y > /tmp/a/c"
    assert run(box, [sh(script)])[0].output == "in folderalone"
    assert (tmp_path / "out/new").read_text() == "x\n"
    assert not list(box.upper.iterdir())


def test_a_sandbox_can_stand_on_450_directories(bench: Workbench, tmp_path: Path) -> None:
    lowers = []
    for number in range(450):
        lower = tmp_path / f"a-rather-long-name-of-a-lower-directory-{number}"
        lower.mkdir()
        (lower / f"file-{number}").touch()
        lowers.append(lower)
    result = run(bench.box(lowers=lowers), [sh("ls /file-* | wc -l")])[0]
    assert result.output == "450\n"


@pytest.mark.parametrize("number", [499, 500, 998])
def test_directories_that_one_mount_cannot_take_lie_over_each_other_all_the_same(
    number: int, bench: Workbench, tmp_path: Path
) -> None:
    lowers = [tmp_path / str(each) for each in range(number)]
    for each, lower in enumerate(lowers):
        (lower / "common").mkdir(parents=True)
        (lower / f"common/file-{each}").touch()
        (lower / "topmost").write_text(f"{each}\n")
    # What hides and empties something below it, at either end of what lies below.
    for each in (1, number - 2):
        os.mknod(lowers[each] / f"common/file-{each + 1}", stat.S_IFCHR, 0)
    last = lowers[number - 1] / "common/last"
    last.mkdir()
    (last / "hidden").touch()
    (lowers[number - 3] / "common/last").mkdir()
    os.setxattr(lowers[number - 3] / "common/last", "trusted.overlay.opaque", b"y")
    script = "cat /topmost; ls /common/file-* | wc -l; ls -A /common/last; echo new > /common/new"
    box = bench.box(lowers=lowers)
    result = run(box, [sh(script)])[0]
    assert result.output == f"0\n{number - 2}\n"
    assert (box.upper / "common/new").read_text() == "new\n"


def test_more_directories_than_two_mounts_take_are_refused(
    bench: Workbench, tmp_path: Path
) -> None:
    lowers = [tmp_path / str(number) for number in range(999)]
    for lower in lowers:
        lower.mkdir()
    with pytest.raises(BuildError, match="1000 directories, and at most 999 can be") as error:
        bench.box(lowers=lowers)
    assert "ancestors" in error.value.faults[0].remedy


def test_a_missing_lower_directory_is_a_fault(bench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="the sandbox cannot be made: mount overlay"):
        run(bench.box(lowers=[tmp_path / "missing"]), [sh("true")])


def test_a_folder_that_overlayfs_cannot_write_to_is_a_fault(bench: Workbench) -> None:
    # A file system without what overlayfs needs of its upper directory.
    box = Sandbox(lowers=(bench.root,), folder=Path("/proc/self"))
    with pytest.raises(BuildError, match="the sandbox cannot be made: "):
        run(box, [sh("true")])


@pytest.mark.parametrize("name", ["dev", "proc", "tmp"])
def test_an_image_cannot_lead_a_mount_elsewhere(
    name: str, bench: Workbench, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "lower").mkdir()
    (tmp_path / "lower" / name).symlink_to(elsewhere)
    with pytest.raises(BuildError, match=f"/{name} of the image is no directory"):
        run(bench.box(lowers=[tmp_path / "lower"]), [sh("true")])
    assert not list(elsewhere.iterdir())


def test_an_image_without_the_places_for_mounts_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "box").mkdir()
    box = Sandbox(lowers=(tmp_path / "empty",), folder=tmp_path / "box")
    prepare(box)
    with pytest.raises(BuildError, match="/dev of the image is no directory"):
        run(box, [sh("true")])


def test_a_pattern_that_is_none_is_a_fault(bench: Workbench) -> None:
    with pytest.raises(BuildError, match="unterminated"):
        run(bench.box(), [sh("true", stdout="(")])


def test_the_folder_has_nothing_that_cannot_be_removed(bench: Workbench) -> None:
    box = bench.box()
    run(box, [sh("touch /x")])
    assert not (box.folder / "work").exists()
