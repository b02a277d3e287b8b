"""The contract in the catalogue: every image has it, and base installs all of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.contract.conftest import CONTRACT

from lamina.catalog import load_catalog
from lamina.model.catalog import Catalog
from lamina.model.image import Image, ImageId, Runtime
from lamina.oci.image import make_config


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([CONTRACT.parents[1]], "debian-13", architecture="amd64")


@pytest.fixture(scope="module")
def base(catalog: Catalog) -> Image:
    return next(image for image in catalog.images if image.id == ImageId("base"))


def test_base_installs_every_program_and_module(base: Image) -> None:
    programs = {
        f"/usr/local/bin/{path.name.removesuffix('.py')}": 0o755
        for path in CONTRACT.iterdir()
        if path.name.startswith(("kolla_", "healthcheck_")) and path.is_file()
    }
    modules = {
        f"/usr/local/lib/kolla/kolla_contract/{path.name}": 0o644
        for path in CONTRACT.glob("kolla_contract/*.py")
    }
    installed = {file.path: file.mode for file in base.files if "/contract/" in file.source}
    assert installed == {**programs, **modules, "/etc/sudoers.d/kolla": 0o440}
    assert {(file.owner, file.group) for file in base.files} == {("root", "root")}


@pytest.mark.parametrize("path", sorted(CONTRACT.glob("*_*.py")), ids=lambda path: path.name)
def test_every_program_is_isolated_from_its_callers_environment(path: Path) -> None:
    assert path.read_text().startswith("#!/usr/bin/python3 -IB\n")


def test_every_image_starts_by_the_contract(catalog: Catalog) -> None:
    starts = {
        image.id.name: (image.runtime.entrypoint, image.runtime.command) for image in catalog.images
    }
    assert starts.pop("mariadb-server") == (("dumb-init", "--"), ("kolla_start",))
    assert starts.pop("cephfs-fuse") == (("/usr/bin/ceph-fuse",), ()), "a tool, with its arguments"
    assert set(starts.values()) == {(("dumb-init", "--single-child", "--"), ("kolla_start",))}


def test_who_an_image_runs_as_is_in_the_group_that_may_use_sudo(catalog: Catalog) -> None:
    groups = {user.name: user.groups for image in catalog.images for user in image.users}
    people = {image.runtime.user for image in catalog.images} - {"", "root"}
    assert {name: "kolla" in groups[name] for name in people} == dict.fromkeys(people, True)


# Whom config.json of present deployments names in an image, beside the user that it runs as.
OWNERS = {
    "base": {"fluentd"},
    "dnsmasq": {"ironic"},
    "httpd": {"ironic", "keystone", "letsencrypt"},
    "libvirt": {"nova"},
    "letsencrypt-lego": {"haproxy", "letsencrypt"},
    "mariadb-server": {"mysql"},
    "openvswitch-db-server": {"openvswitch"},
    "ovn-northd": {"openvswitch"},
}


@pytest.mark.parametrize("name", OWNERS)
def test_whom_deployments_give_files_to_is_there(catalog: Catalog, name: str) -> None:
    image = next(image for image in catalog.images if image.id.name == name)
    there = {
        user.name
        for each in catalog.images
        if each.id.name in lineage(catalog, image)
        for user in each.users
    }
    assert OWNERS[name] | {"fluentd", "kolla"} <= there


def test_every_image_is_labelled_by_its_own_name(catalog: Catalog) -> None:
    for image in catalog.images:
        labels = dict(image.runtime.labels)
        assert labels.pop("name") == image.id.name
        assert labels.pop("org.opencontainers.image.title") == image.id.name
        assert labels.keys() == {
            "build-date",
            "kolla_version",
            "maintainer",
            "org.opencontainers.image.vendor",
        }


def test_the_day_of_a_label_is_that_of_the_images_inputs() -> None:
    runtime = Runtime(labels={"build-date": "{date}", "name": "x"})
    config = json.loads(make_config(runtime, layers=(), epoch=86_400, architecture="amd64"))
    assert config["config"]["Labels"] == {"build-date": "19700102", "name": "x"}


def test_base_is_the_same_for_every_type(catalog: Catalog) -> None:
    for image in catalog.images:
        environment = image.runtime.environment
        assert environment["KOLLA_BASE_DISTRO"] == "debian"
        assert environment["KOLLA_BASE_ARCH"] == "x86_64"
        typed = "openstack-base" in lineage(catalog, image)
        assert environment.get("KOLLA_INSTALL_TYPE") == (image.id.type if typed else None)


def lineage(catalog: Catalog, image: Image) -> list[str]:
    """Return the names of an image and of all that it descends from."""
    images = {image.id: image for image in catalog.images}
    names = [image.id.name]
    while image.parent:
        image = images[image.parent]
        names.append(image.id.name)
    return names


def test_an_architecture_has_the_kernels_name() -> None:
    catalog = load_catalog([CONTRACT.parents[1]], "debian-13", architecture="arm64")
    found = {image.runtime.environment["KOLLA_BASE_ARCH"] for image in catalog.images}
    assert found == {"aarch64"}
