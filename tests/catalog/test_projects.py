from __future__ import annotations

import pytest

from lamina.catalog.projects import is_project


@pytest.mark.parametrize(
    "package",
    [
        "keystone",
        "nova-api",
        "openstack-dashboard",
        "openstack-nova-common",
        "python-novaclient",
        "python3-django-horizon",
        "python3-keystoneauth1",
        "python3-neutron",
        "python3-openstackclient",
        "python3-os-brick",
        "python3-oslo.config",
        "python3-tripleoclient",
        "swift-proxy",
    ],
)
def test_a_package_of_openstack_is_a_project(package: str) -> None:
    assert is_project(package)


@pytest.mark.parametrize(
    "package",
    [
        "libvirt-daemon-system",
        "mariadb-client",
        "novacom",
        "openssh-client",
        "openvswitch-switch",
        "python3-openvswitch",
        "python3-rtslib-fb",
        "python3-swiftsc",
        "python3-trove-classifiers",
        "python3-yaml",
    ],
)
def test_a_package_that_is_only_called_alike_is_none(package: str) -> None:
    assert not is_project(package)
