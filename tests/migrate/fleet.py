"""The names that tests of migration work with: a few images of either kind."""

from __future__ import annotations

from tests.model.fleets import a_catalog, infra, openstack

from lamina.migrate.names import Names
from lamina.model.catalog import Catalog
from lamina.model.image import Type
from lamina.model.names import Scheme

_INFRA = ("cron", "dnsmasq", "fluentd", "monasca-grafana", "redis", "redis-sentinel")
_RENAMED = {"libvirt": "nova-libvirt", "mariadb-server": "mariadb"}
_OPENSTACK = ("ironic-api", "keystone", "kolla-toolbox", "monasca-api", "nova-api", "nova-ssh")


def fleet() -> Catalog:
    """Return a catalogue with infra images, two of them renamed, and openstack ones."""
    return a_catalog(
        *(infra(name) for name in _INFRA),
        *(infra(name, aliases=[alias]) for name, alias in _RENAMED.items()),
        *(image for name in _OPENSTACK for image in openstack(name, *Type)),
    )


def names(scheme: Scheme = Scheme.SPLIT) -> Names:
    """Return the names of that catalogue."""
    return Names.of(fleet(), scheme)
