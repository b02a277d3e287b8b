"""Packages whose records are written down end as those that dpkg unpacks, scripts and all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.engine.boxes import Installed, Workbench
from tests.engine.overlays import Shown, overlay, shown

pytestmark = pytest.mark.real

TOLD = 'printf "%s\\n" "$0 $*" | sed s,/.*/,, >> /told\n'
PEER = "#!/bin/sh\n" + TOLD + "dpkg-query --show > /known\ndpkg --verify peer\ndpkg -S /usr/peer\n"
# Logs have times in them, and dpkg keeps the file before the last of `status` beside it.
NOT_COMPARED = ("var/log/", "var/lib/dpkg/status-old", "var/lib/dpkg/lock")


def packages(bench: Workbench) -> Sequence[Path]:
    """Make packages: one that waits for triggers, and three whose records can be written down."""
    waits = "interest /usr/share/peers\ninterest by-name\ninterest-noawait quietly\n"
    script = f"#!/bin/sh\n{TOLD}"
    return (
        bench.package("waiting", {"postinst": script, "triggers": waits}),
        bench.package(
            "plain",
            {"md5sums": "", "triggers": "activate by-name\nactivate-noawait quietly\n"},
            {"/usr/share/plain": "x"},
        ),
        bench.package(
            "peer",
            {"md5sums": "d41d8cd98f00b204e9800998ecf8427e  usr/peer\n", "postinst": PEER},
            {"/usr/peer": "", "/usr/share/peers/peer": "x"},
        ),
        bench.package("last", {"md5sums": "", "prerm": script, "postinst": script}),
    )


def left(installed: Installed, folder: Path) -> Shown:
    """Return all that an installation left, as the image's file system shows it."""
    assert installed.good, installed.log
    folder.mkdir()
    short = [folder / str(number) for number in range(len(installed.lowers))]
    for link, lower in zip(short, installed.lowers, strict=True):
        link.symlink_to(lower)
    with overlay(installed.upper, short, folder / "mount") as root:
        return {
            path: what for path, what in shown(root).items() if not path.startswith(NOT_COMPARED)
        }


def test_dpkg_leaves_the_same_whether_it_unpacked_or_found_records(bench: Workbench) -> None:
    made = packages(bench)
    recorded, real = bench.install(*made), bench.install(*made, real=True)
    assert [call.argv[0] for call in recorded.calls].count("/bin/sh") == 3
    assert [call.argv[0] for call in real.calls].count("/bin/sh") == 2
    ours, theirs = left(recorded, bench.folder / "ours"), left(real, bench.folder / "theirs")
    assert ours == theirs
    assert b"postinst triggered" in ours["told"][-1]
    assert b"peer\t1.0" in ours["known"][-1]
