"""The same lock gives the same images: on another day, on another host, in another order.

A witness image holds what a build could see of its surroundings. It comes out different where
they cannot be hidden, which proves that they were different, and the same where they are hidden.

With LAMINA_REPRODUCIBLE=all every image is built twice that packages alone make, which takes
minutes: the places of artifacts may be out of reach.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import AS_INSTALLED, DISTRO, SMALL, Workshop
from tests.whole import elsewhere
from tests.whole.comparison import compare
from tests.whole.conftest import Fleet, manifests

from lamina.catalog import default_folder, load_catalog
from lamina.lock import buildable
from lamina.model.selection import with_ancestors, with_descendants

pytestmark = pytest.mark.real

WHOLE = os.environ.get("LAMINA_REPRODUCIBLE") == "all"
# Its maintainer script makes a key with a program that never ends under a false clock.
ENDLESS = ("bind9",)
WITNESS = """
images:
  witness:
    parent: base
    steps:
      - date +%F > /srv/date
      - stat -c %Y /srv/date > /srv/second
      - ls -U /usr/bin > /srv/order
      - hostname > /srv/host
      - umask > /srv/umask
      - date +%Z > /srv/zone
      - locale > /srv/locale
      - echo "$HOME" > /srv/home
      - perl -e '%names = map { $_ => 1 } "a" .. "z"; print keys %names' > /srv/hash
      - head -c 16 /dev/urandom > /srv/secret
"""
SHOWS = ("srv/date", "srv/order", "srv/second", "srv/secret")
SURROUNDINGS = {
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "POSIX",
    "LANG": "tr_TR.UTF-8",
    "HOME": "/nowhere",
    "PYTHONHASHSEED": "7",
}


def terms() -> tuple[str, ...]:
    """Return what is built."""
    if not WHOLE:
        return (*SMALL, "witness")
    catalog = load_catalog([default_folder()], DISTRO)
    fed = with_descendants(catalog, [image.id for image in catalog.images if image.artifacts])
    return "witness", *(
        str(id_)
        for id_ in with_ancestors(catalog, {image.id for image in buildable(catalog)} - {*fed})
        if str(id_) not in ENDLESS
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A workshop whose store is on a file system of its own, and lamina as on another machine."""

    workshop: Workshop
    catalog: Path

    def lamina(self, *words: str) -> str:
        library = str(elsewhere.library())
        done = subprocess.run(
            [
                *("unshare", "--uts", "sh", "-euc"),
                *('hostname elsewhere; umask 077; exec "$@"', "sh"),
                *(sys.executable, elsewhere.__file__, *words),
                *("--catalog", str(self.catalog), "--store", str(self.workshop.store)),
                *("--lock", str(self.workshop.lock)),
            ],
            env={**AS_INSTALLED, **SURROUNDINGS, **elsewhere.clock(library)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def manifests(self) -> Mapping[str, str]:
        return manifests(json.loads(self.lamina("list", "--json")))


@pytest.fixture
def here(fleet: Fleet) -> Fleet:
    """The fleet as it was built, and the witness."""
    fleet.write(WITNESS)
    fleet.lamina("lock")
    fleet.json("build", *terms(), "--no-test")
    return fleet


@pytest.fixture
def there(here: Fleet, tmp_path: Path) -> Iterator[Elsewhere]:
    """An empty store with the same packages, on a file system with another order of names."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "elsewhere", str(folder)], check=True)
    try:
        workshop = Workshop(folder=folder)
        workshop.store.mkdir()
        shutil.copy(here.workshop.lock, workshop.lock)
        shutil.copy(here.workshop.store / "format", workshop.store)
        shutil.copytree(here.workshop.store / "downloads", workshop.store / "downloads")
        yield Elsewhere(workshop=workshop, catalog=here.catalog)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_build_elsewhere_on_another_day_gives_the_same_digests(
    here: Fleet, there: Elsewhere
) -> None:
    there.lamina("build", *terms(), "--no-test", "--jobs", "3")

    first, second = here.manifests(), there.manifests()
    assert first.keys() == second.keys()
    differences = dict(compare(here.workshop, there.workshop, [first, second]))
    witnessed = differences.pop("witness")
    assert differences == {}
    assert witnessed.paths == SHOWS
    assert witnessed.configuration == ()
