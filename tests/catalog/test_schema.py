from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from tests.catalog.cases import CASES

from lamina.catalog import default_folder, json_schema

SCHEMA = json_schema()

# The case, and whether an editor can see its fault in the file alone.
REFUSED = [
    "artifact-with-faults",
    "bad-environment-name",
    "bad-file-mode",
    "bad-image-name",
    "bad-number",
    "bad-package-name",
    "bad-port",
    "cadences-with-faults",
    "file-source-with-dots",
    "key-without-value",
    "kind-unknown",
    "mode-without-quotes",
    "path-with-dots",
    "relative-path",
    "service-test-with-faults",
    "test-without-run",
    "text-for-a-list",
    "unknown-key",
    "unknown-key-in-a-part",
    "unknown-key-of-a-file",
]

GOOD = [
    "good-artifacts",
    "good-cadences",
    "good-inheritance",
    "good-overlay-changes",
    "good-service-test",
    "good-service-test-changed",
    "good-types",
]

SINGLE = ("users.yaml", "sources.yaml", "rules.yaml", "cadences.yaml")


def catalogue_files(folder: Path) -> list[Path]:
    sections = ("infra", "openstack", "distros")
    return [
        *(folder / name for name in SINGLE if (folder / name).exists()),
        *(path for name in sections for path in (folder / name).glob("*")),
    ]


def keys(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key that `schema` knows, with what the schema says of it."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for part in schema.values():
            yield from keys(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from keys(part)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "path",
    [*catalogue_files(default_folder()), *catalogue_files(CASES / "_common")],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_a_file_of_a_right_catalogue_follows_the_schema(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    faults = [error.message for error in Draft202012Validator(SCHEMA).iter_errors(content)]
    assert faults == []


@pytest.mark.parametrize("case", GOOD)
def test_a_good_case_follows_the_schema(case: str) -> None:
    files = list((CASES / case).rglob("*.yaml"))
    assert files
    for path in files:
        Draft202012Validator(SCHEMA).validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("case", REFUSED)
def test_a_fault_of_a_single_file_is_seen_by_the_schema(case: str) -> None:
    content = yaml.safe_load((CASES / case / "catalog/infra/fleet.yaml").read_text())
    assert not Draft202012Validator(SCHEMA).is_valid(content)


def test_every_key_has_a_description() -> None:
    named = dict(keys(SCHEMA["$defs"]))
    wanted = {"images", "packages", "uid", "suites", "glob", "append", "interval", "runs_as"}
    assert wanted <= set(named)
    assert [key for key, found in keys(SCHEMA["$defs"]) if not found.get("description")] == []
