"""Every image's final tree equals the one that plain apt-get leaves over the same parent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import DISTRO, Workshop
from tests.differential.against_apt import Fleet, unexplained
from tests.differential.mounted import UNORDERED, differences

from lamina.catalog import default_folder, load_catalog
from lamina.lock import buildable
from lamina.model.image import Image, ImageId

pytestmark = pytest.mark.real

CATALOG = load_catalog([default_folder()], DISTRO)
# In every run a few that are quick and of every sort: users, services, a parent of its own.
SHARE = "base cron chrony memcached redis-base redis redis-sentinel"
# LAMINA_DIFFERENTIAL names others, or all; with `all`, random packages are compared as well.
WANTED = os.environ.get("LAMINA_DIFFERENTIAL") or SHARE


def fed_by_packages(image: Image) -> bool:
    """Tell whether apt-get could have made all of an image: it knows nothing of artifacts."""
    parent = CATALOG.by_id()[image.parent] if image.parent else None
    return not image.artifacts and (parent is None or fed_by_packages(parent))


IMAGES = [
    image.id
    for image in buildable(CATALOG)
    if (WANTED == "all" and fed_by_packages(image)) or str(image.id) in WANTED.split()
]


@pytest.fixture(scope="session")
def fleet(built: Workshop) -> Fleet:
    built.lamina("build", "--no-test", *map(str, IMAGES))
    return Fleet.at(CATALOG, built.lock, built.store)


@pytest.mark.parametrize("image", IMAGES, ids=str)
def test_an_image_equals_what_apt_get_leaves(fleet: Fleet, image: ImageId, tmp_path: Path) -> None:
    found = unexplained(fleet, image, tmp_path)
    assert not found, "\n".join(f"{path}: {ours} / {apts}" for path, (ours, apts) in found.items())


def test_a_file_that_differs_is_found(tmp_path: Path) -> None:
    """The comparison itself: it sees what only one side has, another content, another mode."""
    sides = []
    for name, content, mode in (("one", "a", 0o644), ("other", "b", 0o600)):
        side = tmp_path / name
        side.mkdir()
        (side / "same").write_text("same")
        (side / "content").write_text(content)
        (side / "mode").write_text("")
        (side / "mode").chmod(mode)
        (side / f"only-{name}").write_text("")
        sides.append(side)
    paths = ["same", "content", "mode", "only-one", "only-other"]
    found = differences([sides[0]], [sides[1]], paths, [])
    assert sorted(found) == ["content", "mode", "only-one", "only-other"]


def test_where_the_order_does_not_count_another_content_does(tmp_path: Path) -> None:
    (path,) = UNORDERED
    found = []
    for number, other in enumerate(("ba", "bb", "abc")):
        sides = [tmp_path / f"{number}-{side}" for side in ("one", "other")]
        for side, content in zip(sides, ("ab", other), strict=True):
            for place in (side / path, side / "elsewhere"):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(content)
        found.append(sorted(differences([sides[0]], [sides[1]], [path, "elsewhere"], [])))
    assert found == [["elsewhere"], ["elsewhere", path], ["elsewhere", path]]
