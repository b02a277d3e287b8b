"""Which packages are Python projects of OpenStack: no infra image installs one."""

from __future__ import annotations

# Projects that make services; their packages are called `nova`, `nova-compute`, `python3-nova`,
# `python3-novaclient`. Only names that no unrelated package begins with.
_SERVICES = """
aodh barbican blazar ceilometer cinder cloudkitty congress cyborg designate freezer glance gnocchi
heat ironic karbor keystone kuryr magnum manila masakari mistral monasca murano neutron nova
octavia panko placement qinling rally sahara searchlight senlin solum swift tacker trove venus
vitrage watcher zaqar zun
"""
# Libraries that are called neither after a service nor `oslo.*`.
_LIBRARIES = """
castellan cliff django-horizon futurist keystoneauth1 keystonemiddleware openstackclient
openstacksdk os-brick os-client-config os-ken os-traits os-vif os-win osc-lib osprofiler stevedore
taskflow tempest tooz tripleoclient
"""

_SERVICE_NAMES = frozenset(_SERVICES.split())
_LIBRARY_NAMES = frozenset(_LIBRARIES.split())


def is_project(package: str) -> bool:
    """Tell whether the distribution package `package` is a Python project of OpenStack."""
    if package.startswith("openstack-"):
        return True
    for prefix in ("python3-", "python-"):
        name = package.removeprefix(prefix)
        if name != package:
            # No prefix of a service is enough here: `python3-trove-classifiers` is none.
            return (
                name.startswith("oslo")
                or name in _LIBRARY_NAMES
                or name in _SERVICE_NAMES
                or name.removesuffix("client") in _SERVICE_NAMES
            )
    return package.partition("-")[0] in _SERVICE_NAMES
