"""Images fed by artifacts, as the catalogue has them: their publishers' shapes, served from here.

Where this is tested the publishers cannot be reached. So every path of the catalogue is served by
a mirror on loopback, with a small archive of the same shape and stand-ins for its programs, and the
images' own tests start these as they would start the real ones. LAMINA_ARTIFACTS=all has all of
them built, Java and Ruby with them, which takes minutes; otherwise a few that need no packages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from tests.conftest import Workshop, a_copy
from tests.fetch.mirror import Mirror, running_mirror, whole
from tests.whole.conftest import Fleet
from tests.whole.publishers import FED, Fed, release
from tests.whole.share import leave_out

from lamina.catalog import default_folder, load_catalog
from lamina.model.artifact import Artifact
from lamina.model.digest import Digest

pytestmark = pytest.mark.real

ALL = os.environ.get("LAMINA_ARTIFACTS") == "all"
SHARE = ("grafana", "kibana", "prometheus-memcached-exporter")
TRIED = {name: fed for name, fed in FED.items() if ALL or name in SHARE}


@pytest.fixture(scope="module")
def artifacts() -> Mapping[str, tuple[Artifact, ...]]:
    """The artifacts of the default catalogue, by the image that has them."""
    catalog = load_catalog([default_folder()], "debian-13", architecture="amd64")
    return {
        str(image.id): image.artifacts
        for image in catalog.images
        if image.artifacts and not image.unbuildable
    }


def with_own_digests(digests: Mapping[str, Digest]) -> str:
    """Return changes to the catalogue: what has a digest in it gets the one of what is served."""
    changes = {}
    for path in sorted((default_folder() / "infra").glob("*.yaml")):
        for name, entry in yaml.safe_load(path.read_text())["images"].items():
            listed = entry.get("artifacts")
            if name not in TRIED or not isinstance(listed, list):
                continue
            own = [
                {**one, "sha256": {"amd64": digests[one["name"]].hex}} if "sha256" in one else one
                for one in listed
            ]
            if own != listed:
                changes[name] = {"change": {"artifacts": {"replace": own}}}
    assert changes
    return yaml.safe_dump({"images": changes})


@pytest.fixture
def fleet(built: Workshop, tmp_path: Path) -> Iterator[Fleet]:
    """The small fleet in a workshop of its own: no other test is to find these images."""
    with a_copy(built, tmp_path / "workshop") as workshop:
        yield Fleet(workshop=workshop, catalog=tmp_path / "mine")


@pytest.fixture
def mirror(fleet: Fleet, artifacts: Mapping[str, tuple[Artifact, ...]]) -> Iterator[Mirror]:
    """A mirror of all places, named in the settings of a fleet whose catalogue fits it."""
    settings = fleet.workshop.folder / "lamina.toml"
    with running_mirror() as mirror:
        digests = {}
        for name, fed in TRIED.items():
            for artifact in artifacts[name]:
                content = release(fed.releases[artifact.name], artifact)
                digests[artifact.name] = Digest.of(content)
                mirror.answers[f"/{artifact.source}/{artifact.path}"] = (
                    lambda h, _, content=content: whole(h, content)  # type: ignore[misc]
                )
        fleet.write(with_own_digests(digests), to="infra/own-digests.yaml")
        sources = sorted({one.source for name in TRIED for one in artifacts[name]})
        lines = "".join(f'{source} = "{mirror.url}/{source}"\n' for source in sources)
        settings.write_text(f"[mirrors]\n{lines}")
        try:
            yield mirror
        finally:
            settings.unlink()


def test_every_image_that_is_fed_by_artifacts_is_tried(
    artifacts: Mapping[str, tuple[Artifact, ...]],
) -> None:
    asked = {name: {one.name for one in each} for name, each in artifacts.items()}
    assert asked == {name: set(fed.releases) for name, fed in FED.items()}


def test_images_are_what_their_publishers_and_the_catalogue_make_of_them(
    fleet: Fleet, mirror: Mirror
) -> None:
    if not ALL:
        # What else there is cannot be pinned, and nobody is to wait for that.
        leave_out(fleet.catalog, FED.keys() - TRIED.keys(), "debian-13")
    fleet.lamina("lock")
    names = [image for name, fed in TRIED.items() for image in (name, *fed.images)]
    told = fleet.json("build", *names)["images"]
    outcomes = {one["image"]: one["outcome"] for one in told}
    assert {outcomes[name] for name in names} == {"built"}
    assert {path for path, _ in mirror.requests} == mirror.answers.keys()
    wrong = {
        name: found for name, fed in TRIED.items() if (found := _differences(fleet, name, fed))
    }
    assert wrong == {}


def _differences(fleet: Fleet, name: str, fed: Fed) -> list[str]:
    """Return what of the image's files is not as it is to be."""
    paths = [line.split(" ", 3)[3] for line in fed.holds]
    script = """
for path in $LACKED; do [ ! -e "$path" ] || echo "there: $path"; done
for path; do stat -c '%U %G %a %n' "$path" || true; done
"""
    lacked = f"LACKED={' '.join(fed.lacks)}"
    seen = fleet.lamina("run", name, "--", "env", lacked, "sh", "-c", script, "sh", *paths).stdout
    return sorted({*fed.holds} ^ {*seen.splitlines()})
