"""The default catalogue is whole for every distribution that it describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from lamina.catalog import default_folder, distro_names, load_catalog
from lamina.model.catalog import Catalog
from lamina.model.image import Image, Kind
from lamina.plan import obstacles

FOLDERS = [default_folder()]
DISTROS = distro_names(FOLDERS)
RPM = "rocky-9"

# Fedora Packaging Guidelines, "Naming": letters and digits of ASCII, and these signs.
RPM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# How Debian calls what no rpm package is called.
DEBIAN_NAME = re.compile(r"lib.*-dev|.*-dbgsym|lib[a-z-]+[0-9]+(t64)?|.*-common-bin|apt|dpkg")

# What images of the rhel family had in them by the names of 2019, those of Python 3 in their place.
RHEL = {
    "ceph-base": ["ceph-common"],
    "ceph-osd": ["btrfs-progs", "gdisk", "hdparm", "parted", "smartmontools", "xfsprogs"],
    "chrony": ["chrony"],
    "cron": ["cronie", "logrotate"],
    "dnsmasq": ["dnsmasq"],
    "etcd": ["etcd"],
    "hacluster-pacemaker": ["pacemaker"],
    "hacluster-pcs": ["pcs"],
    "haproxy": ["haproxy"],
    "iscsid": ["iscsi-initiator-utils", "python3-rtslib", "targetcli"],
    "keepalived": ["hostname", "keepalived"],
    "libvirt": ["ceph-common", "libguestfs", "libvirt-client", "libvirt-daemon", "openvswitch"],
    "mariadb-base": ["galera", "mariadb", "mariadb-backup"],
    "mariadb-server": ["expect", "mariadb-server-galera", "mariadb-server-utils", "pv", "rsync"],
    "memcached": ["memcached"],
    "multipathd": ["device-mapper-multipath"],
    "openvswitch-base": ["openvswitch", "python3-netifaces", "python3-openvswitch", "tcpdump"],
    "ovn-base": ["openvswitch-ovn-common"],
    "ovn-controller": ["openvswitch-ovn-host"],
    "ovn-nb-db-server": ["openvswitch-ovn-central"],
    "ovn-northd": ["openvswitch-ovn-central"],
    "ovn-sb-db-server": ["openvswitch-ovn-central"],
    "ptp": ["linuxptp"],
    "qdrouterd": ["cyrus-sasl-lib", "cyrus-sasl-plain", "qpid-dispatch-router"],
    "rabbitmq": ["rabbitmq-server"],
    "radvd": ["radvd"],
    "redis-base": ["redis"],
    "rsyslog-base": ["rsyslog"],
    "tgtd": ["scsi-target-utils"],
}


@pytest.fixture(scope="module")
def catalogs() -> Mapping[str, Catalog]:
    return {distro: load_catalog(FOLDERS, distro) for distro in DISTROS}


def infra(catalog: Catalog) -> list[Image]:
    return [image for image in catalog.images if image.kind is Kind.INFRA]


def test_the_documentation_has_every_distribution_with_its_words(
    checkout: Path, catalogs: Mapping[str, Catalog]
) -> None:
    text = (checkout / "docs/distributions.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| (`.*`) \|$", text, flags=re.MULTILINE)
    told = {name: tuple(re.findall(r"`([^`]+)`", words)) for name, words in rows}
    assert told == {name: catalog.distro.fallback for name, catalog in catalogs.items()}


@pytest.mark.parametrize("distro", ["debian-13", "debian-12", RPM])
def test_what_a_distribution_cannot_have_is_said_and_not_forgotten(
    distro: str, catalogs: Mapping[str, Catalog]
) -> None:
    why_not = obstacles(catalogs[distro])
    forgotten = [
        str(image.id)
        for image in infra(catalogs[distro])
        if "no packages for" in why_not.get(image.id, "")
    ]
    assert forgotten == [], f"give packages for {distro}, or a reason in 'distros'"


@pytest.mark.parametrize("distro", DISTROS)
def test_every_distribution_can_have_most_of_the_fleet(
    distro: str, catalogs: Mapping[str, Catalog]
) -> None:
    catalog = catalogs[distro]
    why_not = obstacles(catalog)
    assert catalog.images[0].id not in why_not
    assert len(why_not) < len(catalog.images) / 2


def test_packages_for_rhel_are_called_as_rpm_packages(catalogs: Mapping[str, Catalog]) -> None:
    names = {
        package
        for image in catalogs[RPM].images
        if not image.unbuildable
        for package in image.packages
    }
    assert len(names) > 50
    wrong = {name for name in names if not RPM_NAME.fullmatch(name) or DEBIAN_NAME.fullmatch(name)}
    assert wrong == set()


def test_packages_for_rhel_are_those_that_deployments_had(
    catalogs: Mapping[str, Catalog],
) -> None:
    images = {image.id.name: image for image in catalogs[RPM].images}
    missing = {
        name: sorted(set(packages) - set(images[name].packages))
        for name, packages in RHEL.items()
        if not set(packages) <= set(images[name].packages)
    }
    assert missing == {}


def test_what_release_archives_bring_to_rhel_lies_where_deployments_call_it(
    catalogs: Mapping[str, Catalog],
) -> None:
    """What an image's steps link to is one of the programs that its artifacts install."""
    linked = {
        image.id.name: (
            set(re.findall(r"/usr/bin/\S+", " ".join(re.findall(r"ln -s ([^;&]*)", step)))),
            {placed.to for artifact in image.artifacts for placed in artifact.recipe.install},
        )
        for image in catalogs[RPM].images
        if image.artifacts and not image.packages
        for step in image.steps
        if "ln -s /usr/bin/" in step
    }
    assert {"prometheus-server", "prometheus-mtail"} <= linked.keys()
    assert {name for name, (asked, there) in linked.items() if not asked <= there} == set()


def test_packages_of_further_repositories_come_from_ones_that_the_image_asks_for(
    catalogs: Mapping[str, Catalog],
) -> None:
    """What neither BaseOS nor AppStream has is found by an image or one of its ancestors."""
    catalog = catalogs[RPM]
    by_id = catalog.by_id()

    def asked(image: Image) -> set[str]:
        inherited = asked(by_id[image.parent]) if image.parent else set()
        return inherited | set(image.repositories)

    homes = {
        "corosync": "highavailability",
        "ceph-common": "storage",
        "openvswitch": "nfv",
        "rabbitmq-server": "messaging",
        "scsi-target-utils": "epel",
        "dumb-init": "epel",
    }
    lost = [
        f"{image.id}: {package}"
        for image in catalog.images
        for package in image.packages
        if package in homes and homes[package] not in asked(image)
    ]
    assert lost == []


def test_the_documentation_says_what_debian_12_lacks(
    checkout: Path, catalogs: Mapping[str, Catalog]
) -> None:
    text = (checkout / "docs/distributions.md").read_text()
    section = text.partition("## What Debian 12 lacks\n")[2].partition("\n## ")[0]
    told = {
        name: why
        for names, why in re.findall(r"^\| (.*) \| (.*) \|$", section, flags=re.MULTILINE)[1:]
        for name in names.split(", ")
    }
    newer, older = obstacles(catalogs["debian-13"]), obstacles(catalogs["debian-12"])
    lacking = {str(id_): why for id_, why in older.items() if id_ not in newer}
    assert told.keys() == lacking.keys()
    assert all(told[name].removeprefix("need ") in why for name, why in lacking.items())
