"""A small tree in the form of TripleO's: a template, the list that it renders, the defaults."""

from __future__ import annotations

from collections.abc import Mapping

from lamina.migrate.edit import apply_edits
from lamina.migrate.names import Names
from lamina.migrate.readers import read

TEMPLATE = "images/overcloud_containers.yaml.j2"
LIST = "images/overcloud_containers.yaml"
DEFAULTS = "images/container_image_prepare_defaults.yaml"

_TEMPLATE = """\
container_images_template:

# The clock of every host.
- imagename: "{{namespace}}/{{name_prefix}}cron{{name_suffix}}:{{tag}}"
  image_source: kolla
  params:
  - ContainerCrondConfigImage
  - ContainerCrondImage
  services:
  - OS::TripleO::Services::Cron

{% if not rhel_containers %}
- imagename: "{{namespace}}/{{name_prefix}}fluentd{{name_suffix}}:{{tag}}"
  image_source: kolla
  params: [ContainerFluentdImage]
{% endif %}

- imagename: '{{ namespace }}/{{ name_prefix }}mariadb{{ name_suffix }}:{{ tag }}'   # the database
  params:
  - ContainerMysqlImage
  image_source: kolla

{% if neutron_driver == "odl" %}
- imagename: "{{namespace}}/{{name_prefix}}ironic-api{{name_suffix}}:{{tag}}"
  image_source: kolla
{% elif neutron_driver == "ovn" %}
- imagename: "{{namespace}}/{{name_prefix}}redis{{name_suffix}}:{{tag}}"
  image_source: kolla
  services: [OS::TripleO::Services::OVN]
{% else %}
- imagename: "{{namespace}}/{{name_prefix}}keystone{{name_suffix}}:{{tag}}"
  image_source: kolla
{% endif %}

{# - imagename: "{{namespace}}/{{name_prefix}}dnsmasq{{name_suffix}}:{{tag}}" #}
# - imagename: "{{namespace}}/{{name_prefix}}dnsmasq{{name_suffix}}:{{tag}}"
- imagename: "{{namespace}}/{{name_prefix}}nova-api{{name_suffix}}:{{tag}}"
  image_source: kolla

- imagename: "{{namespace}}/{{name_prefix}}nova-libvirt{{name_suffix}}:{{tag}}"
  image_source: kolla
  params:
  - ContainerNovaLibvirtImage

- imagename: "{{ceph_namespace}}/{{ceph_image}}:{{ceph_tag}}"
  image_source: ceph
"""

_LIST = """\
container_images:
- imagename: registry.example/tripleo/centos-binary-cron:current
  image_source: kolla
- imagename: registry.example/tripleo/centos-binary-fluentd:current
  image_source: kolla
- imagename: registry.example/tripleo/centos-binary-mariadb:current
  image_source: kolla
- imagename: registry.example/tripleo/centos-binary-ironic-api:current
  image_source: kolla
- imagename: registry.example/tripleo/centos-binary-redis:current
  image_source: kolla
- imagename: registry.example/tripleo/centos-binary-keystone:current
  image_source: kolla
- imagename: registry.example/tripleo/centos-binary-nova-api:current
  image_source: kolla
- imagename: registry.example/tripleo/centos-binary-nova-libvirt:current
  image_source: kolla
- imagename: registry.example/ceph/daemon:v4
  image_source: ceph
"""

_DEFAULTS = """\
parameter_defaults:
  ContainerImagePrepare:
  - set:
      namespace: registry.example/tripleo
      # What stands before every name.
      name_prefix: centos-binary-
      name_suffix: ''
      tag: current
      rhel_containers: false
      neutron_driver: ovn
      ceph_namespace: registry.example/ceph
      ceph_image: daemon
      ceph_tag: v4
"""

TREE: Mapping[str, str] = {TEMPLATE: _TEMPLATE, LIST: _LIST, DEFAULTS: _DEFAULTS}


def entry(reference: str) -> str:
    """Return a template with one entry."""
    return f'container_images_template:\n- imagename: "{reference}"\n  image_source: kolla\n'


def migrated(tree: Mapping[str, str], names: Names) -> Mapping[str, str]:
    """Return the tree with all its edits; nothing may be undecided."""
    new = {}
    for path, text in tree.items():
        found = read(path, text, names)
        assert found.undecided == ()
        new[path] = apply_edits(text, found.edits)
    return new
