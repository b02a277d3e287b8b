"""The whole program as users have it: a really built small fleet, catalogues laid over it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SMALL, Workshop, a_copy
from tests.whole.engines import Engine, docker, podman


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The small fleet in a workshop, with a catalogue of one's own that is laid over it."""

    workshop: Workshop
    catalog: Path

    def write(self, text: str, *, to: str = "infra/mine.yaml") -> None:
        """Lay a file over the default catalogue."""
        file = self.catalog / to
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def lamina(
        self, *words: str, code: int = 0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run lamina with the catalogue, and expect this exit code."""
        command, *others = words
        mine = ("--catalog", str(self.catalog)) if self.catalog.exists() else ()
        return self.workshop.lamina(command, *mine, *others, code=code, environment=environment)

    def json(self, *words: str, code: int = 0) -> Any:
        """Run lamina with `--json`, and return what it prints."""
        command, *others = words
        return json.loads(self.lamina(command, "--json", *others, code=code).stdout)

    def build(self, *terms: str, code: int = 0) -> Mapping[str, str]:
        """Build and return what came of each image."""
        return {
            image["image"]: image["outcome"]
            for image in self.json("build", *terms, code=code)["images"]
        }

    def reasons(self, *terms: str) -> Mapping[str, list[str]]:
        """Return why each image that is not kept would be built or tested."""
        steps = self.json("plan", *terms)["steps"]
        return {step["image"]: step["reasons"] for step in steps if step["action"] != "keep"}

    def manifests(self) -> Mapping[str, str]:
        """Return the manifests of all built images."""
        return manifests(self.json("list"))


def manifests(listed: list[dict[str, Any]]) -> Mapping[str, str]:
    """Return image to manifest, of what `lamina list --json` prints."""
    found = {}
    for entry in listed:
        built = entry.get("manifest", {})
        if isinstance(built, str):
            found[entry["name"]] = built
        else:
            found |= {f"{type_}-{entry['name']}": digest for type_, digest in built.items()}
    return found


@pytest.fixture(scope="session")
def copied(built: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A copy of the built small fleet, which all tests of this folder change in turn."""
    with a_copy(built, tmp_path_factory.mktemp("whole") / "workshop") as workshop:
        yield workshop


@pytest.fixture
def fleet(copied: Workshop, built: Workshop, tmp_path: Path) -> Fleet:
    """The small fleet as it was built, whatever the test before has made of it.

    What that test built is no longer tagged, but the store may know it still.
    """
    shutil.copy(built.lock, copied.lock)
    Fleet(workshop=copied, catalog=tmp_path / "none").build(*SMALL)
    return Fleet(workshop=copied, catalog=tmp_path / "mine")


@pytest.fixture(params=["podman", "docker"], scope="module")
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Each container engine in turn."""
    start = {"podman": podman, "docker": docker}[request.param]
    with start(tmp_path_factory.mktemp(request.param)) as engine:
        yield engine
