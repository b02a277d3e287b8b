"""What each distribution has of the images, those without a file of their own included."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.catalog.cases import CASES

from lamina.catalog import load_catalog, load_offers
from lamina.errors import CatalogError
from lamina.model.offer import Offer, Offers

IMAGES = """
images:
  web:
    parent: base
    packages: {debian: [darkhttpd], rhel: [nginx], ubuntu: [lighttpd]}
  cache:
    parent: web
    packages: [varnish]
    distros: {fedora: no longer packaged}
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    shutil.copytree(CASES / "_common", tmp_path / "catalog")
    (tmp_path / "catalog" / "infra" / "web.yaml").write_text(IMAGES)
    return tmp_path / "catalog"


def overlay(folder: Path, text: str) -> Path:
    file = folder / "mine" / "infra" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return folder / "mine"


def by_distro(offers: tuple[Offers, ...], name: str) -> dict[str, Offer]:
    return {one.distro: one.images[name] for one in offers}


def test_a_distribution_without_a_file_is_known_by_its_word(catalog: Path) -> None:
    offers = load_offers([catalog])

    assert [(one.distro, one.built) for one in offers] == [
        ("debian-13", True),
        ("fedora", False),
        ("rhel", False),
        ("ubuntu", False),
    ]
    packages = {name: offer.packages for name, offer in by_distro(offers, "web").items()}
    assert packages == {
        "debian-13": ("darkhttpd",),
        "ubuntu": ("lighttpd",),
        "fedora": (),
        "rhel": ("nginx",),
    }


def test_a_reason_is_the_images_own_or_that_of_its_ancestor(catalog: Path) -> None:
    offers = load_offers([catalog])

    web = "no packages for fedora, only for debian, rhel, ubuntu"
    assert by_distro(offers, "web")["fedora"].unbuildable == web
    assert by_distro(offers, "cache")["fedora"].unbuildable == "no longer packaged"
    own = overlay(catalog.parent, "images: {web-ui: {parent: web}}")
    offer = by_distro(load_offers([catalog, own]), "web-ui")["fedora"]
    assert offer.unbuildable == f"its parent 'web' cannot be built: {web}"


def test_an_obstacle_is_handed_on_from_parent_to_child(catalog: Path) -> None:
    text = "{web: {parent: base, distros: {rhel: never}}, ui: {parent: web}, app: {parent: ui}}"
    (catalog / "infra" / "web.yaml").write_text(f"images: {text}")

    reasons = {
        name: offer.unbuildable
        for one in load_offers([catalog])
        for name, offer in one.images.items()
        if one.distro == "rhel"
    }

    assert reasons == {
        "base": "",
        "web": "never",
        "ui": "its parent 'web' cannot be built: never",
        "app": "its ancestor 'web' cannot be built: never",
    }


def test_a_change_counts_for_the_distributions_that_it_is_meant_for(catalog: Path) -> None:
    change = "{packages: {debian: {append: [brotli]}}, distros: {append: {suse: never was}}}"
    own = overlay(catalog.parent, f"images: {{web: {{change: {change}}}}}")

    web = by_distro(load_offers([catalog, own]), "web")

    assert web["debian-13"].packages == ("darkhttpd", "brotli")
    assert web["rhel"].packages == ("nginx",)
    assert web["suse"].unbuildable == "never was"


def test_an_offer_is_what_the_catalogue_of_that_distribution_has(catalog: Path) -> None:
    loaded = {image.id.name: image for image in load_catalog([catalog], "debian-13").images}

    (debian, *_) = load_offers([catalog])

    assert debian.images == {
        name: Offer(packages=image.packages, unbuildable=image.unbuildable)
        for name, image in loaded.items()
    }


def test_a_file_with_faults_is_refused(catalog: Path) -> None:
    (catalog / "infra" / "web.yaml").write_text("images: {web: {packges: []}}")

    with pytest.raises(CatalogError, match="packges"):
        load_offers([catalog])
