"""The documents say what the code does: targets, rooms, decisions, links."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from lamina.catalog import json_schema


def test_the_readme_tells_every_target_of_make(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE)
    told = re.findall(r"^\| `make ([a-z-]+)`", (checkout / "README.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(set(targets) - {"help"})


def test_the_architecture_shows_the_rooms_in_the_order_of_the_import_contract(
    checkout: Path,
) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = re.findall(r"^\| `([^|]*)` \|", (checkout / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert [row.replace("`, `", " | ") for row in rows] == layers


def test_every_decision_tells_context_choice_and_cost(checkout: Path) -> None:
    decisions = sorted((checkout / "docs/decisions").glob("*.md"))
    numbers = [int(file.name[:4]) for file in decisions]
    assert numbers == list(range(1, len(decisions) + 1))
    for file in decisions:
        headings = re.findall(r"^## (.*)$", file.read_text(), flags=re.MULTILINE)
        assert headings == ["Context", "Choice", "Cost"], file.name


def test_every_link_of_a_document_leads_to_a_file(
    checkout: Path, committed: Mapping[str, bytes]
) -> None:
    broken = [
        f"{name}: {target}"
        for name, content in committed.items()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", content.decode())
        if not (checkout / name).parent.joinpath(target).exists()
    ]
    assert broken == []


def test_every_key_of_an_artifact_is_told_in_its_page(checkout: Path) -> None:
    page = (checkout / "docs/artifacts.md").read_text()
    told = set(re.findall(r"`([a-z0-9]+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.M))))
    schema = json_schema()["$defs"]
    forms = schema["ArtifactForm"], schema["PlacementForm"]
    assert {key for form in forms for key in form["properties"]} <= told


def test_what_the_page_of_artifacts_shows_follows_the_schema(checkout: Path) -> None:
    blocks = re.findall(
        r"^```yaml\n(.*?)^```$", (checkout / "docs/artifacts.md").read_text(), re.M | re.S
    )
    assert len(blocks) == 3
    for block in blocks:
        text = f"images:\n{block}" if block.startswith("  ") else block
        Draft202012Validator(json_schema()).validate(yaml.safe_load(text))
