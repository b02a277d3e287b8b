"""Random sets of Debian's packages install from husks as they do by plain apt-get."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from debian.deb822 import Packages
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from tests.conftest import DISTRO, Workshop
from tests.differential.against_apt import Fleet, unexplained

from lamina.catalog import default_folder, load_catalog
from lamina.model.image import ImageId

pytestmark = pytest.mark.real

ALL = os.environ.get("LAMINA_DIFFERENTIAL") == "all"
PROOF = ImageId("proof")
# Large packages prove nothing more and take long.
LARGEST = 3_000_000  # bytes of the package file
# Kernel modules and firmware want the machine's own kernel; debug packages have no scripts.
DULL = ("-dbgsym", "-dbg", "-dkms", "-doc", "-di")


@cache
def candidates(lists: Path) -> tuple[str, ...]:
    """Return the names of packages that may be drawn, sorted."""
    names = set()
    for index in sorted(lists.glob("*_main_binary-*_Packages")):
        with index.open("rb") as stream:
            for stanza in Packages.iter_paragraphs(stream, use_apt_pkg=False):
                name = stanza["Package"]
                if int(stanza["Size"]) <= LARGEST and not name.endswith(DULL):
                    names.add(name)
    return tuple(sorted(names))


# What an ordinary run looks at: services, users, diversions, alternatives and questions, quick to
# install.
SHARE = (("jq", "tmux", "libpaper2"), ("openssh-server", "rsync"))


@pytest.mark.parametrize("chosen", SHARE, ids="-".join)
def test_a_set_equals_what_apt_get_leaves(workshop: Workshop, chosen: tuple[str, ...]) -> None:
    assert built_alike(workshop, chosen)


@pytest.mark.skipif(not ALL, reason="takes long: part of `make differential`")
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller example costs minutes
    print_blob=False,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(draw=st.data())
def test_a_random_set_equals_what_apt_get_leaves(workshop: Workshop, draw: st.DataObject) -> None:
    names = candidates(workshop.store / "roots" / f"{DISTRO}-amd64" / "var/lib/apt/lists")
    chosen = draw.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    assume(built_alike(workshop, chosen))


def built_alike(workshop: Workshop, chosen: Sequence[str]) -> bool:
    """Build an image of these packages and compare it; False where apt cannot install them."""
    folder = Path(tempfile.mkdtemp(dir=workshop.folder))
    try:
        overlay = folder / "catalog"
        (overlay / "infra").mkdir(parents=True)
        entry = f"images: {{{PROOF}: {{parent: base, packages: [{', '.join(chosen)}]}}}}\n"
        (overlay / "infra" / "proof.yaml").write_text(entry)
        lock = folder / "lamina.lock.json"
        shutil.copy(workshop.lock, lock)
        options = ("--catalog", str(overlay), "--lock", str(lock))
        if workshop.lamina("lock", *options, code=None).returncode:
            return False
        workshop.lamina("build", *options, str(PROOF))
        catalog = load_catalog([default_folder(), overlay], DISTRO)
        found = unexplained(Fleet.at(catalog, lock, workshop.store), PROOF, folder)
        assert not found, f"{chosen}: " + "\n".join(
            f"{path}: {ours} / {apts}" for path, (ours, apts) in found.items()
        )
        return True
    finally:
        shutil.rmtree(folder, ignore_errors=True)
