"""An updated package changes the layers that hold it, and a push sends these alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import Workshop
from tests.lock.archive import Archive, new_key
from tests.whole.conftest import manifests
from tests.whole.engines import Engine
from tests.whole.registry import Registry, registry
from tests.whole.share import keep_only

from lamina.catalog import default_folder

pytestmark = pytest.mark.real

DISTRO = "debian-13-and-ours"
BUDGET = 60
PARTS = 64  # packages, each alone in an image of its own, and together in one image
IMAGES = """
images:
  kit: {parent: base, packages: [tool, gadget], repositories: {deb: [ours]}}
  kit-child: {parent: kit, packages: [extra], repositories: {deb: [ours]}}
  bystander: {parent: base, packages: [gadget], repositories: {deb: [ours]}}
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A distribution with a repository of our own, and images of its packages."""

    workshop: Workshop
    catalog: Path
    archive: Archive

    def lamina(self, *words: str, code: int = 0) -> str:
        return self.workshop.lamina(
            *words,
            *("--catalog", str(self.catalog), "--distro", DISTRO),
            environment={"LAMINA_MIRROR_OURS": self.archive.url},
            code=code,
        ).stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.lamina(*words, "--json"))

    def add(self, name: str, version: str, **relations: str) -> None:
        """Put a package with one file into the repository."""
        folder = self.archive.folder / "work" / name / "usr/share" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_text(f"{name} {version}\n" * 1000)
        self.archive.add(name, version, **relations)

    def names(self) -> list[str]:
        """Return the names of the built images in the store's layout."""
        index = json.loads((self.workshop.store / "oci" / "index.json").read_text())
        names = (
            one["annotations"]["org.opencontainers.image.ref.name"] for one in index["manifests"]
        )
        return sorted(name for name in names if name.startswith("ours-"))

    def push(self, there: Registry) -> Mapping[str, int]:
        """Send every built image; return all that the registry holds then."""
        for name in self.names():
            there.push(self.workshop.store / "oci", name)
        return there.blobs()


@pytest.fixture(scope="module")
def site(built: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, its packages at their first version, nothing locked."""
    folder = tmp_path_factory.mktemp("site")
    store = folder / "store"
    (store / "downloads").mkdir(parents=True)
    shutil.copy(built.store / "format", store / "format")
    for download in (built.store / "downloads").iterdir():
        os.link(download, store / "downloads" / download.name)
    with new_key() as key:
        archive = Archive(folder=folder / "archive", key=key)
        archive.folder.mkdir()
        made = Site(workshop=Workshop(folder=folder), catalog=folder / "catalog", archive=archive)
        _write_catalog(made)
        for name in ("tool", "gadget", "extra", *(f"part-{n}" for n in range(PARTS))):
            made.add(name, "1.0")
        archive.publish()
        yield made


def _write_catalog(site: Site) -> None:
    default = yaml.safe_load((default_folder() / "distros" / "debian-13.yaml").read_text())
    ours = {
        "suites": ["stable"],
        "components": ["main"],
        "keyring": str(site.archive.key.public),
        "default": False,
    }
    distro = {
        **default,
        "name": DISTRO,
        "short": "ours",
        "fallback": [DISTRO, *default["fallback"]],
        "repositories": {**default["repositories"], "ours": ours},
    }
    for folder in ("distros", "infra"):
        (site.catalog / folder).mkdir(parents=True)
    (site.catalog / "distros" / f"{DISTRO}.yaml").write_text(yaml.safe_dump(distro))
    (site.catalog / "infra" / "kit.yaml").write_text(IMAGES)
    keep_only(site.catalog, ("base", "cron"), "debian-13")
    parts = [f"part-{number}" for number in range(PARTS)]
    entry = {"parent": "base", "repositories": {"deb": ["ours"]}}
    images = {part: {**entry, "packages": [part]} for part in parts}
    images["all-parts"] = {**entry, "packages": parts}
    (site.catalog / "infra" / "parts.yaml").write_text(yaml.safe_dump({"images": images}))


TERMS = ("base", "cron", "kit+", "bystander")


def test_an_update_sends_exactly_what_was_foretold(site: Site, tmp_path: Path) -> None:
    site.lamina("lock")
    site.lamina("build", *TERMS)
    before = manifests(site.json("list"))
    shutil.copy(site.workshop.lock, tmp_path / "old.lock.json")
    with registry(tmp_path / "by-skopeo") as there, registry(tmp_path / "by-lamina") as other:
        publish = ("publish", "--to", f"http://{other.address}/cloud")
        had = site.push(there)
        site.lamina(*publish)

        site.add("tool", "2.0")
        site.archive.publish()
        site.lamina("lock", "--update")
        since = ("storage", "--since", str(tmp_path / "old.lock.json"))
        foretold = site.json(*since)
        site.lamina("build", *TERMS)
        measured = site.json(*since)
        new = {digest: size for digest, size in site.push(there).items() if digest not in had}
        published = site.json(*publish)
        assert other.blobs() == there.blobs()
        assert other.unresolved() == []

    assert foretold["estimated"]
    assert [(one["group"], one["images"]) for one in foretold["layers"]] == [
        (one["group"], one["images"]) for one in measured["layers"]
    ]
    assert not measured["estimated"]
    changed = ["kit", "kit-child"]
    assert measured["images"] == changed
    (group, *deltas) = measured["layers"]
    assert (group["images"], group["causes"]) == (["kit"], ["tool 1.0 -> 2.0"])
    assert [one["images"] for one in deltas] == [["kit"], ["kit-child"]]
    assert sum(new.values()) == measured["compressed"]["size"] + measured["documents"]
    assert len(new) == len(measured["layers"]) + 2 * len(changed)
    assert [one["image"] for one in published["images"] if one["changed"]] == changed
    manifests_once = published["sent"]["manifest_bytes"] // 2  # each under two tags
    assert published["sent"]["blob_bytes"] + manifests_once == sum(new.values())
    after = manifests(site.json("list"))
    assert sorted(name for name in before if before[name] != after[name]) == changed


def test_an_image_of_as_many_layers_as_the_budget_allows_runs(site: Site, engine: Engine) -> None:
    site.lamina("lock")
    site.lamina("build", "all-parts")
    reference = "localhost/all-parts:proof"
    site.workshop.lamina(
        *("export", "all-parts", "--catalog", str(site.catalog), "--distro", DISTRO),
        *("--to", f"{engine.transport}{reference}"),
        environment=engine.environment,
    )

    assert len(engine.inspect(reference)["RootFS"]["Layers"]) == BUDGET
    told = engine.run(reference, "sh", "-c", "cat /usr/share/part-*/data | wc -l")
    assert int(told) == PARTS * 1000


def test_more_layers_than_engines_can_mount_are_refused(site: Site) -> None:
    site.lamina("lock")
    before = site.workshop.lock.read_bytes()

    told = site.workshop.lamina(
        *("lock", "--catalog", str(site.catalog), "--distro", DISTRO, "--layer-budget", "126"),
        code=2,
    ).stderr

    assert "125" in told
    assert site.workshop.lock.read_bytes() == before
