"""A disk that gets full in the middle: told with a remedy, and with room again all goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from tests.faults.bench import IMAGES, Bench, Moments, end_of, frozen, wait_until
from tests.fetch.mirror import Mirror

from lamina.model.digest import Digest

pytestmark = pytest.mark.real

MOMENTS: dict[str, Callable[[Moments], Callable[[], bool]]] = {
    "units": lambda moments: moments.units(),
    "configure": lambda moments: moments.configure("cron"),
    "layers": lambda moments: moments.layers(),
}


def fill(bench: Bench) -> None:
    """Take all room that the file system has."""
    with (bench.folder / "filler").open("ab") as file:
        while free := os.statvfs(bench.folder).f_bavail * os.statvfs(bench.folder).f_frsize:
            with suppress(OSError):  # somebody else was faster
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_build_that_finds_no_room_says_so_and_goes_on_later(
    bench: Bench,
    manifests: Mapping[str, Digest],
    moment: Callable[[Moments], Callable[[], bool]],
) -> None:
    bench.forget("memcached", "cron")
    reached = moment(Moments(bench=bench))
    process = bench.start("build", *IMAGES)
    wait_until(reached, process)
    with frozen(process):
        fill(bench)
    told = end_of(process)
    assert told.code == 1, told
    assert f"no space left in the store ({bench.root}" in told.err
    assert "remove what no image needs with `lamina gc`, or give a larger `--store`" in told.err
    (bench.folder / "filler").unlink()
    bench.assert_mended(manifests)


def test_a_download_that_finds_no_room_says_so_and_goes_on_later(
    bench: Bench, mirror: Mirror, manifests: Mapping[str, Digest]
) -> None:
    package = bench.package("cron", "cron")
    bench.forget("cron")
    package.unlink()
    fill(bench)
    told = bench.lamina("build", *IMAGES, code=1)
    assert "No space left on device" in told.err
    assert "--store" in told.err
    (bench.folder / "filler").unlink()
    bench.assert_mended(manifests)
    assert package.is_file()
