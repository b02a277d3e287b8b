"""Downloads come in whole and right, or are named with what was wrong."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.fetch.mirror import (
    Mirror,
    ranged,
    running_mirror,
    status,
    truncated,
    unannounced,
    whole,
)

from lamina.errors import NetworkError, StoreError
from lamina.fetch import Cause, Download, Failure, Patience, fetch_all, fetch_error
from lamina.model.digest import Digest

CONTENT = bytes(range(256)) * 4000  # about a megabyte
QUICK = Patience(connect=2, silence=0.5, window=0.3, pace=1000, attempts=3, pause=0.01)

Answer = Callable[[BaseHTTPRequestHandler, int], None]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with running_mirror() as mirror:
        yield mirror


def a_download(mirror: Mirror, folder: Path, name: str = "cron.deb") -> Download:
    return Download(
        url=f"{mirror.url}/{name}",
        digest=Digest.of(CONTENT),
        size=len(CONTENT),
        path=folder / name,
    )


def fetch_one(mirror: Mirror, folder: Path, answer: Answer) -> Failure | None:
    mirror.answers["/cron.deb"] = answer
    return next(iter(fetch_all([a_download(mirror, folder)], patience=QUICK)), None)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("answer", "requests"),
    [
        pytest.param(lambda h, _: ranged(h, CONTENT), 1, id="at once"),
        pytest.param(
            lambda h, turn: status(h, 500) if turn < 3 else whole(h, CONTENT),
            3,
            id="after 500 twice",
        ),
        pytest.param(
            lambda h, turn: status(h, 429) if turn < 2 else whole(h, CONTENT),
            2,
            id="after too many requests",
        ),
        pytest.param(
            lambda h, turn: truncated(h, CONTENT, 5000) if turn < 2 else ranged(h, CONTENT),
            2,
            id="after a body that was cut off",
        ),
        pytest.param(
            lambda h, turn: unannounced(h, CONTENT, 5000) if turn < 2 else ranged(h, CONTENT),
            2,
            id="after a body of unknown length that was cut off",
        ),
        pytest.param(
            lambda h, turn: truncated(h, CONTENT, 5000) if turn < 2 else whole(h, CONTENT),
            2,
            id="from a mirror that ignores ranges",
        ),
        pytest.param(
            lambda h, turn: whole(h, CONTENT if turn > 1 else b"x" * len(CONTENT)),
            2,
            id="after wrong content",
        ),
        pytest.param(
            lambda h, turn: whole(h, CONTENT if turn > 1 else CONTENT + b"more"),
            2,
            id="after too much content",
        ),
        pytest.param(
            lambda h, turn: whole(h, CONTENT if turn > 1 else CONTENT[:100]),
            2,
            id="after a shorter file",
        ),
    ],
)
def test_a_file_comes_in(mirror: Mirror, tmp_path: Path, answer: Answer, requests: int) -> None:
    assert fetch_one(mirror, tmp_path, answer) is None
    assert (tmp_path / "cron.deb").read_bytes() == CONTENT
    assert names(tmp_path) == ["cron.deb"]
    assert len(mirror.requests) == requests


@pytest.mark.parametrize(
    ("answer", "cause", "message", "requests"),
    [
        pytest.param(
            lambda h, _: status(h, 404), Cause.MISSING, "answered 404 Not Found", 1, id="404"
        ),
        pytest.param(
            lambda h, _: status(h, 403), Cause.MIRROR, "answered 403 Forbidden", 1, id="403"
        ),
        pytest.param(lambda h, _: status(h, 503), Cause.MIRROR, "answered 503", 3, id="503"),
        pytest.param(
            lambda h, _: unannounced(h, CONTENT, 0),
            Cause.MIRROR,
            f"the body ended after 0 of {len(CONTENT)} bytes",
            3,
            id="an empty body",
        ),
        pytest.param(
            lambda h, _: whole(h, b"other"),
            Cause.CONTENT,
            f"found {Digest.of(b'other')} (5 bytes)",
            2,
            id="other content",
        ),
        pytest.param(lambda h, _: time.sleep(1), Cause.MIRROR, "in time", 3, id="silence"),
    ],
)
def test_a_file_that_cannot_be_had_is_named_with_the_reason(
    mirror: Mirror, tmp_path: Path, answer: Answer, cause: Cause, message: str, requests: int
) -> None:
    failure = fetch_one(mirror, tmp_path, answer)
    assert failure is not None
    assert failure.cause is cause
    assert message in failure.message
    assert len(mirror.requests) == requests
    assert not (tmp_path / "cron.deb").exists()


def test_wrong_content_leaves_nothing_behind(mirror: Mirror, tmp_path: Path) -> None:
    fetch_one(mirror, tmp_path, lambda h, _: whole(h, b"other"))
    assert names(tmp_path) == []


def test_the_second_try_after_wrong_content_passes_by_a_proxy(
    mirror: Mirror, tmp_path: Path
) -> None:
    fetch_one(mirror, tmp_path, lambda h, _: whole(h, b"other"))
    assert [h.get("Cache-Control") for _, h in mirror.requests] == [None, "no-cache"]


def test_a_broken_download_goes_on_where_it_stopped(mirror: Mirror, tmp_path: Path) -> None:
    failure = fetch_one(
        mirror,
        tmp_path,
        lambda h, turn: truncated(h, CONTENT, 5000) if turn < 2 else status(h, 403),
    )
    assert failure is not None
    assert names(tmp_path) == ["cron.deb.part"]
    assert fetch_one(mirror, tmp_path, lambda h, _: ranged(h, CONTENT)) is None
    assert mirror.ranges() == ["", "bytes=5000-", "bytes=5000-"]
    assert (tmp_path / "cron.deb").read_bytes() == CONTENT


def test_a_part_with_wrong_bytes_does_not_spoil_the_file(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "cron.deb.part").write_bytes(b"wrong" * 10)
    assert fetch_one(mirror, tmp_path, lambda h, _: ranged(h, CONTENT)) is None
    assert mirror.ranges() == ["bytes=50-", ""]


def test_a_complete_part_needs_no_mirror(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "cron.deb.part").write_bytes(CONTENT)
    assert fetch_one(mirror, tmp_path, lambda h, _: status(h, 500)) is None
    assert mirror.requests == []


def test_a_refused_range_is_answered_by_asking_for_all(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "cron.deb.part").write_bytes(b"part")
    answer = lambda h, turn: status(h, 416) if turn < 2 else whole(h, CONTENT)  # noqa: E731
    assert fetch_one(mirror, tmp_path, answer) is None
    assert mirror.ranges() == ["bytes=4-", ""]


def test_a_mirror_that_drips_is_given_up(mirror: Mirror, tmp_path: Path) -> None:
    def drip(handler: BaseHTTPRequestHandler, turn: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        for byte in CONTENT[:30]:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)
        handler.close_connection = True

    began = time.monotonic()
    failure = fetch_one(mirror, tmp_path, drip)
    assert failure is not None
    assert "the mirror sent only" in failure.message
    assert time.monotonic() - began < 4


def test_all_files_come_in_at_once_and_each_failure_is_told(mirror: Mirror, tmp_path: Path) -> None:
    busy, peak, lock = [0], [0], threading.Lock()

    def answer(handler: BaseHTTPRequestHandler, _: int) -> None:
        with lock:
            busy[0] += 1
            peak[0] = max(peak[0], busy[0])
        time.sleep(0.05)
        with lock:
            busy[0] -= 1
        whole(handler, CONTENT)

    downloads = [a_download(mirror, tmp_path, f"{number}.deb") for number in range(12)]
    mirror.answers |= {f"/{number}.deb": answer for number in range(10)}
    mirror.answers |= {f"/{n}.deb": lambda h, _: status(h, 404) for n in (10, 11)}
    failures = fetch_all(downloads, jobs=3, patience=QUICK)
    assert [failure.download.path.name for failure in failures] == ["10.deb", "11.deb"]
    assert names(tmp_path) == sorted(f"{number}.deb" for number in range(10))
    assert peak == [3]


def test_a_file_that_is_there_is_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "cron.deb").write_bytes(CONTENT)
    assert fetch_one(mirror, tmp_path, lambda h, _: status(h, 500)) is None
    assert mirror.requests == []


def test_a_file_of_the_wrong_size_is_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "cron.deb").write_bytes(b"short")
    assert fetch_one(mirror, tmp_path, lambda h, _: whole(h, CONTENT)) is None
    assert (tmp_path / "cron.deb").read_bytes() == CONTENT


def test_two_runs_at_once_fetch_a_file_once(mirror: Mirror, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler, _: int) -> None:
        time.sleep(0.2)
        whole(handler, CONTENT)

    mirror.answers["/cron.deb"] = answer
    found: list[tuple[Failure, ...]] = []
    runs = [
        threading.Thread(
            target=lambda: found.append(fetch_all([a_download(mirror, tmp_path)], patience=QUICK))
        )
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert found == [(), ()]
    assert len(mirror.requests) == 1
    assert names(tmp_path) == ["cron.deb"]


def test_progress_ends_at_the_files_size(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answers["/cron.deb"] = lambda h, _: whole(h, CONTENT)
    seen: list[int] = []
    fetch_all([a_download(mirror, tmp_path)], on_progress=lambda _, here: seen.append(here))
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_a_mirror_may_be_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "a mirror"
    source.mkdir()
    (source / "cron.deb").write_bytes(CONTENT)
    url = (source / "cron.deb").as_uri()
    good = Download(
        url=url, digest=Digest.of(CONTENT), size=len(CONTENT), path=tmp_path / "store" / "cron"
    )
    missing = replace(good, url=url + ".gone", path=tmp_path / "store" / "gone")
    wrong = replace(good, digest=Digest.of(b""), path=tmp_path / "store" / "wrong")
    failures = fetch_all([good, missing, wrong], patience=QUICK)
    assert {f.download.path.name: f.cause for f in failures} == {
        "gone": Cause.MISSING,
        "wrong": Cause.CONTENT,
    }
    assert good.path.read_bytes() == CONTENT


def test_nobody_listens(tmp_path: Path) -> None:
    with running_mirror() as mirror:
        download = a_download(mirror, tmp_path)
    (failure,) = fetch_all([download], patience=QUICK)
    assert failure.cause is Cause.MIRROR


def test_a_full_disk_is_told_from_a_bad_mirror(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answers["/cron.deb"] = lambda h, _: whole(h, CONTENT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        failures = fetch_all([a_download(mirror, tmp_path)], patience=QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [failure.cause for failure in failures] == [Cause.DISK]
    assert isinstance(fetch_error(failures), StoreError)
    assert "make room" in str(fetch_error(failures))


def test_the_error_names_every_file_and_what_to_do(tmp_path: Path) -> None:
    download = Download(
        url="http://me:secret@mirror.example/debian/pool/cron_3.0_amd64.deb",
        digest=Digest.of(b""),
        size=1,
        path=tmp_path / "0123",
    )
    error = fetch_error(
        [
            Failure(download=download, cause=Cause.MISSING, message="the mirror answered 404"),
            Failure(download=download, cause=Cause.MIRROR, message="the mirror answered 500"),
        ]
    )
    assert isinstance(error, NetworkError)
    assert "the mirror no longer has cron_3.0_amd64.deb: run lamina lock --update" in str(error)
    assert "http://mirror.example/debian/pool" in str(error)
    assert "secret" not in str(error)


def test_the_password_of_a_mirror_is_used_and_not_shown(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answers["/cron.deb"] = lambda h, _: status(h, 401)
    url = mirror.url.replace("//", "//me:secret@") + "/cron.deb"
    failures = fetch_all([replace(a_download(mirror, tmp_path), url=url)], patience=QUICK)
    assert mirror.requests[0][1]["Authorization"].startswith("Basic ")
    assert "secret" not in str(fetch_error(failures))


def test_an_interrupt_ends_it_at_once_and_leaves_only_parts(tmp_path: Path) -> None:
    stopped = threading.Event()

    def stall(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:5000])
        handler.wfile.flush()
        stopped.wait(20)

    program = (
        "import sys; from pathlib import Path; from lamina.fetch import *;"
        "from lamina.model.digest import Digest;"
        "fetch_all([Download(url=sys.argv[1], digest=Digest.of(b''), size=10**6,"
        " path=Path(sys.argv[2]))], on_progress=lambda d, here: print(here, flush=True))"
    )
    with running_mirror() as mirror:
        mirror.answers["/cron.deb"] = stall
        process = subprocess.Popen(
            [sys.executable, "-c", program, f"{mirror.url}/cron.deb", str(tmp_path / "cron.deb")],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=10)
        took = time.monotonic() - began
        stopped.set()
    assert "KeyboardInterrupt" in messages
    assert took < 2
    assert names(tmp_path) == ["cron.deb.part"]
    assert (tmp_path / "cron.deb.part").read_bytes() == CONTENT[:5000]


def test_a_mirror_that_fails_for_file_after_file_is_not_asked_for_the_rest(
    mirror: Mirror, tmp_path: Path
) -> None:
    downloads = [a_download(mirror, tmp_path, f"{number:02}.deb") for number in range(20)]
    for download in downloads:
        mirror.answers[f"/{download.path.name}"] = lambda handler, _: status(handler, 500)
    failures = fetch_all(downloads, jobs=4, patience=replace(QUICK, attempts=2))
    assert [failure.cause for failure in failures] == [Cause.MIRROR] * 20
    tried = [failure for failure in failures if not failure.message.startswith("not tried")]
    # Eight, and those that were under way then.
    assert 8 <= len(tried) < 8 + 4
    assert len(mirror.requests) == 2 * len(tried)


def test_a_mirror_that_fails_for_some_files_is_asked_for_all(
    mirror: Mirror, tmp_path: Path
) -> None:
    downloads = [a_download(mirror, tmp_path, f"{number:02}.deb") for number in range(20)]
    for number, download in enumerate(downloads):
        mirror.answers[f"/{download.path.name}"] = (
            (lambda handler, _: whole(handler, CONTENT))
            if number % 2
            else (lambda handler, _: status(handler, 500))
        )
    failures = fetch_all(downloads, jobs=1, patience=replace(QUICK, attempts=1))
    assert [failure.download for failure in failures] == downloads[::2]
