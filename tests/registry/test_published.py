"""A migration is checked against what a real registry has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.migrate.trees import INFRA, a_tree
from tests.registry.guarded import Guarded
from tests.registry.test_registry import a_manifest, push

from lamina.cli import main
from lamina.registry import open_registry

pytestmark = pytest.mark.real


def test_every_new_reference_has_to_be_in_the_registry(
    guarded: Guarded, content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_registry(guarded.address, guarded.access) as registry:
        blob = push(registry, "moved/debian-cron", content)
        manifest = a_manifest(blob, content.stat().st_size)
        registry.put_manifest("moved/debian-cron", "train", manifest)
    monkeypatch.chdir(tmp_path)
    words = ["migrate", "check", str(a_tree(tmp_path)), "--json"]
    place = ["--registry", f"{guarded.address}/moved", "--ca", str(guarded.certificate)]

    ran = CliRunner().invoke(
        main, [*words, *place], env={"REGISTRY_AUTH_FILE": str(guarded.auth_file)}
    )

    assert ran.exit_code == 1
    missing = {fault["place"] for fault in json.loads(ran.stdout)["faults"]}
    assert len(missing) == INFRA - 1
    assert not any(reference.endswith("/debian-cron:train") for reference in missing)


def test_a_registry_that_cannot_be_asked_is_told_as_such(tmp_path: Path) -> None:
    words = ["migrate", "check", str(a_tree(tmp_path)), "--registry", "http://127.0.0.1:1/none"]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 4
    assert "127.0.0.1:1" in ran.stderr
