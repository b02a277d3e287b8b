"""Trees in the form of a deployment's: roles with their defaults, group_vars, globals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_ROLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    # role: the first word of its variables, its images
    "common": ("common", ("cron", "fluentd", "kolla-toolbox")),
    "ironic": ("ironic", ("dnsmasq", "ironic-api")),
    "mariadb": ("mariadb", ("mariadb",)),
    "monasca": ("monasca", ("monasca-api", "monasca-grafana")),
    "nova": ("nova", ("nova-api", "nova-libvirt", "nova-ssh")),
    "redis": ("redis", ("redis", "redis-sentinel")),
}
INFRA = 8
"""How many of these images are infra images."""

_ALL = """\
---
# What every role works with.
kolla_base_distro: "debian"
kolla_install_type: "binary"
openstack_release: "train"
docker_registry:
docker_namespace: "kolla"
node_config: "/etc/kolla"
"""

_GLOBALS = """\
---
# kolla_install_type: "binary"
kolla_install_type: "source"   # not centos-binary-cron
docker_registry: "registry.example.org:5000"
#redis_image: "kolla/centos-binary-redis"
"""


def _defaults(variables: str, images: tuple[str, ...]) -> str:
    lines = ["---", f'project_name: "{variables}"', "", f"{variables}_services:"]
    for image in images:
        name = image.replace("-", "_")
        lines += [
            f"  {image}:",
            f"    container_name: {name}",
            f'    image: "{{{{ {name}_image_full }}}}"',
            "    volumes:",
            f'      - "{{{{ node_config }}}}/{image}/:/var/lib/config/:ro"',
        ]
    lines += ["", f'{variables}_install_type: "{{{{ kolla_install_type }}}}"']
    lines += [f'{variables}_tag: "{{{{ openstack_release }}}}"']
    for image in images:
        name = image.replace("-", "_")
        lines += [
            "",
            f"{name}_image: \"{{{{ docker_registry ~ '/' if docker_registry else '' }}}}"
            "{{ docker_namespace }}/{{ kolla_base_distro }}"
            f'-{{{{ {variables}_install_type }}}}-{image}"',
            f'{name}_image_full: "{{{{ {name}_image }}}}:{{{{ {variables}_tag }}}}"',
        ]
    return "\n".join(lines) + "\n"


def a_tree(folder: Path) -> Path:
    """Write a tree into `folder`, and return where it lies."""
    root = folder / "deployment"
    files = {
        f"ansible/roles/{role}/defaults/main.yml": _defaults(variables, images)
        for role, (variables, images) in _ROLES.items()
    }
    files["ansible/group_vars/all.yml"] = _ALL
    files["etc/globals.yml"] = _GLOBALS
    files["doc/backup.rst"] = "Run\n\n  docker run kolla/centos-binary-mariadb:train backup\n"
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return root


def bytes_of(root: Path) -> Mapping[str, bytes]:
    """Return the contents of all files below `root`, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
