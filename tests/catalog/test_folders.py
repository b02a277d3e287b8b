from __future__ import annotations

from pathlib import Path

import pytest
from tests.catalog.cases import CASES

from lamina.catalog import default_folder, load_catalog, load_distro
from lamina.errors import CatalogError, UsageError
from lamina.model.image import Kind

COMMON = CASES / "_common"


def test_the_default_catalogue_has_no_fault() -> None:
    catalog = load_catalog([default_folder()], "debian-13")
    kinds = {image.id.name: image.kind for image in catalog.images}
    assert kinds["base"] is Kind.INFRA
    assert len(kinds) > 1


def test_parents_stand_before_children() -> None:
    seen = set()
    for image in load_catalog([default_folder()], "debian-13").images:
        assert image.parent is None or image.parent in seen
        seen.add(image.id)


def test_a_catalogue_loads_to_the_same_values_again() -> None:
    first, second = (load_catalog([default_folder()], "debian-13") for _ in range(2))
    assert first == second


def test_every_folder_that_is_no_catalogue_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CatalogError) as caught:
        load_catalog([COMMON, tmp_path / "gone", tmp_path / "empty"], "debian-13")
    assert [(fault.place, fault.message) for fault in caught.value.faults] == [
        (str(tmp_path / "empty"), "not a catalogue"),
        (str(tmp_path / "gone"), "no such folder"),
    ]


def test_a_distribution_is_read_without_any_image(tmp_path: Path) -> None:
    (tmp_path / "distros").symlink_to(COMMON / "distros")
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/broken.yaml").write_text("[")
    distro = load_distro([tmp_path], "debian-13", architecture="arm64")
    assert (distro.name, distro.architecture) == ("debian-13", "arm64")
    assert load_distro([tmp_path], "debian-13").architecture == "amd64"


def test_a_catalogue_without_distributions_says_so(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    with pytest.raises(UsageError, match="no distribution 'debian-13'\n  there is none"):
        load_distro([tmp_path], "debian-13")


def test_an_overlay_in_the_working_directory_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    (own / "infra").mkdir(parents=True)
    (own / "infra/cron.yaml").write_text("images:\n  cron: {parent: bsae}\n")
    monkeypatch.chdir(own)
    with pytest.raises(CatalogError, match=r"^own/infra/cron.yaml:2: the parent 'bsae'"):
        load_catalog([COMMON, Path()], "debian-13")


def test_hidden_files_are_no_part_of_a_catalogue(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/.cron.yaml.swp").write_bytes(b"\xff")
    assert load_catalog([COMMON, tmp_path], "debian-13").images[0].id.name == "base"
