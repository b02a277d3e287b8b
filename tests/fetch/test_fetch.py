"""Downloads come in whole and right, or are named with what was wrong."""

from __future__ import annotations

import os
import resource
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


def a_sight(mirror: Mirror, folder: Path) -> Download:
    """Return a download of which nothing is known."""
    return Download(url=f"{mirror.url}/tool", digest=None, size=None, path=folder / "tool")


def sight(mirror: Mirror, folder: Path, answer: Answer) -> Failure | None:
    mirror.answers["/tool"] = answer
    return next(iter(fetch_all([a_sight(mirror, folder)], patience=QUICK)), None)


def chunked(handler: BaseHTTPRequestHandler, content: bytes, *, ended: bool = True) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(content), content) + b"0\r\n\r\n" * ended)
    handler.close_connection = not ended


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda h, _: whole(h, CONTENT), id="at once"),
        pytest.param(lambda h, _: chunked(h, CONTENT), id="in chunks"),
        pytest.param(
            lambda h, turn: truncated(h, CONTENT, 5000) if turn < 2 else ranged(h, CONTENT),
            id="after a body that was cut off",
        ),
        pytest.param(
            lambda h, turn: (
                chunked(h, CONTENT[:99], ended=False) if turn < 2 else ranged(h, CONTENT)
            ),
            id="after chunks that were cut off",
        ),
    ],
)
def test_a_file_of_which_nothing_is_known_comes_in_whole(
    mirror: Mirror, tmp_path: Path, answer: Answer
) -> None:
    assert sight(mirror, tmp_path, answer) is None
    assert (tmp_path / "tool").read_bytes() == CONTENT
    assert names(tmp_path) == ["tool"]


def compressed(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "3")
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(b"abc")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(
            lambda h, _: unannounced(h, CONTENT, 5000),
            "the mirror does not say how long the file is",
            id="a body of unknown length",
        ),
        pytest.param(
            lambda h, _: compressed(h), "the mirror compresses what it sends", id="compressed"
        ),
        pytest.param(lambda h, _: status(h, 404), "answered 404", id="404"),
    ],
)
def test_a_file_that_may_be_broken_is_not_taken_on_first_sight(
    mirror: Mirror, tmp_path: Path, answer: Answer, message: str
) -> None:
    failure = sight(mirror, tmp_path, answer)
    assert failure is not None
    assert message in failure.message
    assert names(tmp_path) == []


def test_a_size_that_is_known_must_be_right_on_first_sight(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answers["/tool"] = lambda h, _: whole(h, b"other")
    download = replace(a_sight(mirror, tmp_path), size=len(CONTENT))
    (failure,) = fetch_all([download], patience=QUICK)
    assert failure.cause is Cause.CONTENT
    assert failure.message.startswith(f"expected {len(CONTENT)} bytes, found sha256:")


def test_a_digest_is_enough_to_know_a_file(mirror: Mirror, tmp_path: Path) -> None:
    download = replace(a_sight(mirror, tmp_path), digest=Digest.of(CONTENT))
    mirror.answers["/tool"] = lambda h, turn: (
        truncated(h, CONTENT, 5000) if turn < 2 else ranged(h, CONTENT)
    )
    assert fetch_all([download], patience=QUICK) == ()
    assert mirror.ranges() == ["", "bytes=5000-"]
    assert fetch_all([download], patience=QUICK) == ()
    assert len(mirror.requests) == 2
    wrong = replace(download, digest=Digest.of(b"other"), path=tmp_path / "wrong")
    (failure,) = fetch_all([wrong], patience=QUICK)
    assert failure.cause is Cause.CONTENT
    assert failure.message == (
        f"expected {Digest.of(b'other')}, found {Digest.of(CONTENT)} ({len(CONTENT)} bytes)"
    )
    assert names(tmp_path) == ["tool"]


def test_a_complete_part_of_unknown_size_is_completed(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "tool.part").write_bytes(CONTENT)
    mirror.answers["/tool"] = lambda h, turn: status(h, 416) if turn < 2 else whole(h, CONTENT)
    download = replace(a_sight(mirror, tmp_path), digest=Digest.of(CONTENT))
    assert fetch_all([download], patience=QUICK) == ()
    assert names(tmp_path) == ["tool"]


def test_an_error_has_the_remedies_of_its_download(tmp_path: Path) -> None:
    download = Download(
        url="http://mirror.example/x/tool.tgz",
        digest=None,
        size=None,
        path=tmp_path / "0",
        remedies={Cause.MISSING: "look for {file} elsewhere"},
    )
    failure = Failure(download=download, cause=Cause.MISSING, message="gone")
    assert "look for tool.tgz elsewhere" in str(fetch_error([failure]))


@pytest.fixture
def led_astray(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server with https that leads to the mirror without."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"{mirror.url}{self.path}")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_is_pinned_on_first_sight_does_not_come_without_https(
    mirror: Mirror, led_astray: str, tmp_path: Path
) -> None:
    mirror.answers["/tool"] = lambda h, _: whole(h, CONTENT)
    download = replace(a_sight(mirror, tmp_path / "to"), url=f"{led_astray}/tool")
    (failure,) = fetch_all([download], patience=QUICK)
    assert failure.message == "it leads to 127.0.0.1 without https"
    # A digest says as much about the content as https does.
    known = replace(download, digest=Digest.of(CONTENT), path=tmp_path / "to" / "known")
    assert fetch_all([known], patience=QUICK) == ()
