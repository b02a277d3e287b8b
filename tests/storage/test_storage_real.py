"""The report of a really built fleet, compared with what lies in its store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Workshop

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def report(built: Workshop) -> Any:
    return json.loads(built.lamina("storage", "--json").stdout)


@pytest.fixture(scope="module")
def manifests(built: Workshop) -> Mapping[str, Any]:
    """The manifests of the built images in the store's layout, by digest."""
    images = json.loads(built.lamina("list", "--json").stdout)
    found = {}
    for image in images:
        one = image.get("manifest") or {}
        for digest in [one] if isinstance(one, str) else one.values():
            found[digest] = json.loads(_blob(built, digest).read_bytes())
    return found


def _blob(built: Workshop, digest: str) -> Path:
    return built.store / "oci" / "blobs" / "sha256" / digest.removeprefix("sha256:")


def test_a_registry_holds_the_blobs_that_all_manifests_name(
    built: Workshop, report: Any, manifests: Mapping[str, Any]
) -> None:
    blobs = set(manifests)
    for manifest in manifests.values():
        blobs |= {manifest["config"]["digest"], *(one["digest"] for one in manifest["layers"])}

    assert report["fleet"]["registry"] == sum(_blob(built, one).stat().st_size for one in blobs)


def test_layers_are_as_large_as_they_come_out_of_their_blobs(built: Workshop) -> None:
    report = json.loads(built.lamina("storage", "--json", "--by", "layer", "cron").stdout)

    for layer in report["layers"]:
        with gzip.open(_blob(built, layer["digest"])) as tar:
            assert layer["size"] == len(tar.read())
    assert sum(layer["size"] for layer in report["layers"]) == report["fleet"]["unique"]


def test_the_what_ifs_of_a_real_fleet_stand_in_their_order(report: Any) -> None:
    for pick in (
        {name: one["size"] for name, one in report["what_if"].items()},
        {name: one["compressed"]["size"] for name, one in report["what_if"].items()},
    ):
        assert pick["lower_bound"] <= pick["layered"] < pick["squashed"]
        assert pick["lower_bound"] <= pick["hierarchy"] < pick["base_per_type"]
        # Its images of OpenStack have nothing of their own: all that there is, is doubled.
        assert pick["hierarchy"] < pick["infra_per_type"] <= 2 * pick["hierarchy"]
        assert pick["base_shared"] < pick["squashed"]


def test_squashing_a_chain_saves_what_its_deltas_hide_of_each_other(built: Workshop) -> None:
    what_if = json.loads(built.lamina("storage", "--json", "redis").stdout)["what_if"]

    # dpkg's status lies in every delta of the chain, and once when they are squashed.
    assert what_if["squashed"]["size"] < what_if["lower_bound"]["size"]


def test_since_the_present_lock_nothing_is_to_be_sent(built: Workshop) -> None:
    update = json.loads(built.lamina("storage", "--json", "--since", str(built.lock)).stdout)

    assert (update["size"], update["layers"], update["images"]) == (0, [], [])
