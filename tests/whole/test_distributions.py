"""The fleet for the further distributions: a small part of it, with real packages.

With LAMINA_DISTRIBUTIONS=all the whole fleet is built and tested, which takes minutes; but for
images that are fed by artifacts from places that cannot be reached.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.conftest import Workshop
from tests.whole.share import keep_only

from lamina.catalog import default_folder, load_catalog
from lamina.engine.unit import FACTS, read_facts
from lamina.lock import buildable, read_lock
from lamina.model.selection import with_descendants

pytestmark = pytest.mark.real

WHOLE = os.environ.get("LAMINA_DISTRIBUTIONS") == "all"
DISTROS = ("debian-12",)
SHARE = ("base", "memcached")


@pytest.mark.parametrize("distro", DISTROS)
def test_the_fleet_builds_and_passes_its_tests(distro: str, tmp_path: Path) -> None:
    workshop = Workshop(folder=tmp_path, distro=distro)
    catalog = load_catalog([default_folder()], distro)
    others: tuple[str, ...] = ()
    if not WHOLE:
        keep_only(tmp_path / "share", SHARE, distro)
        others = ("--catalog", str(tmp_path / "share"))

    workshop.lamina("lock", *others)
    packages = {unit.name for unit in read_lock(workshop.lock).units.values()}
    # The links are there from the start, and what would make them would bring Perl's modules.
    assert "usr-is-merged" in packages
    assert "usrmerge" not in packages
    told = json.loads(workshop.lamina("build", "--json", *others, code=None).stdout)["images"]

    outcomes = {one["image"]: one["outcome"] for one in told}
    wanted = {str(image.id) for image in buildable(catalog)} if WHOLE else set(SHARE)
    unreached = [image for image in catalog.images if outcomes[str(image.id)] == "not fetched"]
    assert all(image.artifacts for image in unreached)
    lost = {str(id_) for id_ in with_descendants(catalog, [image.id for image in unreached])}
    assert {image for image, outcome in outcomes.items() if outcome == "built"} == wanted - lost
    check_links(workshop, others)


def check_links(workshop: Workshop, others: tuple[str, ...]) -> None:
    """Check that packages' old names of paths lead to where the files are, and dpkg knows both."""
    folders = [file.parent for file in sorted(workshop.store.glob(f"units/*/{FACTS}"))]
    units = [facts for folder in folders if (facts := read_facts(folder))]
    assert {unit.name for unit in units if unit.listed} >= {"bash", "libc6"}
    assert {unit.name: unit.real for unit in units if unit.real} == {}
    script = "readlink /bin /lib64; dpkg-query --search /bin/bash; dpkg --verify bash libc6 python3"
    ran = workshop.lamina("run", *others, "base", "--", "sh", "-euc", script)
    assert ran.stdout == "usr/bin\nusr/lib64\nbash: /bin/bash\n"
