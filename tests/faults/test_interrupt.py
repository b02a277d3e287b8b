"""Interrupts from the terminal: exit code 130, a message, and nothing left, wherever they come."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import Workshop
from tests.faults.bench import IMAGES, Bench, Moments, Told, end_of, wait_until
from tests.faults.mirror import address, dribbled
from tests.fetch.mirror import Mirror, running_mirror

from lamina.model.digest import Digest

pytestmark = pytest.mark.real

_QUICK = 10.0  # seconds in which lamina must have ended

MOMENTS: dict[str, Callable[[Moments], Callable[[], bool]]] = {
    "units": lambda moments: moments.units(),
    "configure": lambda moments: moments.configure("cron"),
    "layers": lambda moments: moments.layers(),
}


def interrupted(process: subprocess.Popen[str]) -> Told:
    """Interrupt a process and all of its group, as a terminal does."""
    assert process.poll() is None, end_of(process)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    told = end_of(process)
    assert time.monotonic() - began < _QUICK
    # Python may end itself by the signal that it handled: for a shell that is 130 as well.
    assert told.code in (130, -signal.SIGINT), told
    assert "interrupted" in told.text
    return told


def wait_for_line(process: subprocess.Popen[str], words: str) -> None:
    """Return once the process has said this on standard error."""
    assert process.stderr is not None
    while words not in (line := process.stderr.readline()):
        assert line, end_of(process)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_build_is_interrupted_and_taken_up_again(
    bench: Bench,
    manifests: Mapping[str, Digest],
    moment: Callable[[Moments], Callable[[], bool]],
) -> None:
    bench.forget("memcached", "cron")
    reached = moment(Moments(bench=bench))
    process = bench.start("build", *IMAGES)
    wait_until(reached, process)
    told = interrupted(process)
    assert "to go on: `lamina build cron memcached redis-base redis`" in told.out
    assert list((bench.root / "work").iterdir()) == []
    bench.assert_mended(manifests)


def test_downloads_are_interrupted_and_taken_up_again(
    bench: Bench, mirror: Mirror, manifests: Mapping[str, Digest]
) -> None:
    (unit,) = (unit for unit in bench.built()["cron"].units if unit.name == "cron")
    package = bench.package("cron", "cron")
    content = package.read_bytes()
    package.unlink()
    bench.forget("cron")
    whole = mirror.answers[address(unit)]
    mirror.answers[address(unit)] = lambda handler, _: dribbled(
        handler, content, pieces=100, pause=1
    )
    process = bench.start("build", *IMAGES)
    wait_until(lambda: list(bench.store.downloads.glob("*.part")), process)
    interrupted(process)
    mirror.answers[address(unit)] = whole
    bench.assert_mended(manifests)


@pytest.mark.parametrize("module", ["click.core", "lamina.cli.group", "pydantic"])
def test_lamina_is_interrupted_while_it_is_loaded(tmp_path: Path, module: str) -> None:
    process = Bench(folder=tmp_path).start("build", PYTHONVERBOSE="1")
    wait_for_line(process, f"import '{module}' #")
    interrupted(process)


@contextmanager
def silent_mirror() -> Iterator[tuple[Mirror, dict[str, str]]]:
    """Give a mirror that takes every question and answers none."""
    with running_mirror() as mirror:
        over = False

        class _Any(dict[str, object]):
            def __getitem__(self, _path: str) -> object:
                return lambda _handler, _turn: wait_for_end()

        def wait_for_end() -> None:
            while not over:
                time.sleep(0.05)

        mirror.answers = _Any()  # type: ignore[assignment]
        try:
            yield (
                mirror,
                {
                    "LAMINA_MIRROR_DEBIAN": f"{mirror.url}/debian",
                    "LAMINA_MIRROR_DEBIAN_SECURITY": f"{mirror.url}/debian-security",
                },
            )
        finally:
            over = True


def test_making_the_solvers_root_is_interrupted(tmp_path: Path) -> None:
    bench = Bench(folder=tmp_path)
    with silent_mirror() as (mirror, addresses):
        process = bench.start("lock", **addresses)
        wait_until(lambda: mirror.requests, process)
        interrupted(process)
        bench.assert_nothing_is_left()
    assert not (tmp_path / "lamina.lock.json").exists()
    assert [path.name for path in (bench.root / "roots").iterdir() if path.is_dir()] == []


@pytest.fixture
def locking(bench: Bench, built: Workshop) -> Bench:
    """A bench that can lock too."""
    roots = built.store / "roots"
    subprocess.run(["cp", "-a", roots, bench.root], check=True)
    return bench


def test_updating_the_indices_is_interrupted(locking: Bench) -> None:
    before = (locking.folder / "lamina.lock.json").read_bytes()
    with silent_mirror() as (mirror, addresses):
        process = locking.start("lock", "--update", **addresses)
        wait_until(lambda: mirror.requests, process)
        interrupted(process)
        locking.assert_nothing_is_left()
    assert (locking.folder / "lamina.lock.json").read_bytes() == before


def test_solving_is_interrupted(locking: Bench) -> None:
    family = locking.folder / "catalog" / "infra" / "zebra.yaml"
    family.parent.mkdir(parents=True)
    family.write_text("images:\n  zebra: {parent: base, packages: [cron, chrony]}\n")
    before = (locking.folder / "lamina.lock.json").read_bytes()
    # The indices are those of the mirror that the lock was made with.
    plain = Bench(folder=locking.folder)
    process = plain.start("lock", "--catalog", "catalog")
    wait_for_line(process, "solving zebra")
    interrupted(process)
    plain.assert_nothing_is_left()
    assert (locking.folder / "lamina.lock.json").read_bytes() == before
    plain.lamina("lock", "--catalog", "catalog")
