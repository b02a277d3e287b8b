"""What rendering proves of a migration, and what it finds wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.migrate.fleet import names
from tests.migrate.trees import INFRA, a_tree

from lamina.errors import StoreError, UsageError
from lamina.migrate.check import Checked, check, missing_references
from lamina.migrate.migration import make_migration
from lamina.migrate.published import in_digests, in_layout
from lamina.migrate.render import Value
from lamina.migrate.tree import read_tree
from lamina.oci.descriptor import REF_NAME

NOVA = "ansible/roles/nova/defaults/main.yml"


def texts(root: Path) -> dict[str, str]:
    return {file.path: file.text for file in read_tree(root).files}


def moved(root: Path) -> dict[str, str]:
    changes = make_migration(read_tree(root), names()).changes
    return {**texts(root), **{change.path: change.new for change in changes}}


def checked(
    root: Path, after: Mapping[str, str] | None = None, further: Mapping[str, Value] | None = None
) -> Checked:
    return check(texts(root), moved(root) if after is None else after, names(), further or {})


def test_a_migration_is_proved_for_every_distribution_and_type(tmp_path: Path) -> None:
    found = checked(a_tree(tmp_path))
    assert found.faults == ()
    # The image, the image with its tag, and the container that has it.
    assert found.values == 3 * INFRA
    assert found.renderings == found.values * 4 * 2


def test_the_new_references_are_those_of_the_deployment_itself(tmp_path: Path) -> None:
    found = checked(a_tree(tmp_path), further={"openstack_release": "8"})
    place = "registry.example.org:5000/kolla/debian-"
    assert len(found.references) == INFRA
    assert f"{place}mariadb-server:8" in found.references
    assert f"{place}libvirt:8" in found.references


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-nova-api", "-nova-ssh", "more than references"),
        ("{{ kolla_base_distro }}-libvirt", "{{ kolla_base_distro }}-cron", "became"),
        ("{{ kolla_base_distro }}-libvirt", "debian-libvirt", "became"),
        ("nova_api_image:", "nova_api_picture:", "parameters"),
    ],
)
def test_anything_else_that_changed_is_found(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    root = a_tree(tmp_path)
    after = moved(root)
    after[NOVA] = after[NOVA].replace(old, new)
    assert any(message in fault.message for fault in checked(root, after).faults)


def test_a_type_of_the_users_own_is_told_and_not_blamed_on_lamina(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    settings = root / "etc/globals.yml"
    settings.write_text(f"{settings.read_text()}redis_install_type: ours\n")
    messages = {fault.message for fault in checked(root).faults}
    own = "registry.example.org:5000/kolla/debian"
    assert (
        f"'{own}-ours-redis' is not known as an image that moves, but became '{own}-redis'"
    ) in messages
    assert all("-ours-redis" in message for message in messages)


def test_an_unset_variable_is_told_and_can_be_given(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    common = root / "ansible/group_vars/all.yml"
    common.write_text(common.read_text().replace("docker_namespace", "other"))
    found = checked(root)
    assert found.faults
    assert all("'docker_namespace' is undefined" in fault.message for fault in found.faults)
    assert checked(root, further={"docker_namespace": "kolla"}).faults == ()


def test_a_filter_that_is_not_known_hinders_only_what_needs_it(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    redis = root / "ansible/roles/redis/defaults/main.yml"
    redis.write_text(
        redis.read_text() + 'x: "{{ \'a\' | of_ansible }}"\ny: "{{ redis_services }}"\n'
    )
    assert checked(root).faults == ()
    redis.write_text(redis.read_text() + 'z: "{{ redis_image | of_ansible }}"\n')
    (fault,) = checked(root).faults
    assert "of_ansible" in fault.message


def test_a_registry_that_is_encrypted_hinders_the_proof_until_it_is_given(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    settings = root / "etc/globals.yml"
    plain = 'docker_registry: "registry.example.org:5000"'
    secret = "docker_registry: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132"
    settings.write_text(settings.read_text().replace(plain, secret))
    found = checked(root)
    assert {fault.message for fault in found.faults} == {
        "cannot be rendered: 'docker_registry' is encrypted"
    }
    assert checked(root, further={"docker_registry": "host:5000"}).faults == ()


@pytest.mark.parametrize("text", ["a: {{ b }}\n", "$ANSIBLE_VAULT;1.1;AES256\n3132\n"])
def test_variables_that_cannot_be_read_are_told(tmp_path: Path, text: str) -> None:
    root = a_tree(tmp_path)
    (root / "ansible/group_vars/control.yml").write_text(text)
    (fault,) = checked(root).faults
    assert fault.place == "ansible/group_vars/control.yml"
    assert "its variables cannot be read" in fault.message


@pytest.mark.parametrize("name", ["README.md", ".all.yml.swp", "all.yml~", "notes.txt"])
def test_what_lies_beside_files_of_variables_is_none(tmp_path: Path, name: str) -> None:
    root = a_tree(tmp_path)
    (root / "ansible/group_vars" / name).write_text("Hosts: all of: them\n")
    assert checked(root).faults == ()


def test_the_reference_within_a_command_is_looked_for_too(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    settings = root / "etc/globals.yml"
    line = 'backup: "docker run --volume=/a:/b host:5000/other/centos-binary-redis:9 redis-cli"\n'
    settings.write_text(settings.read_text() + line)
    found = checked(root)
    assert found.faults == ()
    assert "host:5000/other/centos-redis:9" in found.references
    assert len(found.references) == INFRA + 1


def test_a_reference_that_is_not_published_is_told(tmp_path: Path) -> None:
    digests = tmp_path / "digests.json"
    digests.write_text(json.dumps({"other.example.org/ns/debian-cron:8": "x@sha256:0"}))
    wanted = ("host:5000/kolla/debian-cron:8", "kolla/debian-redis:8", "kolla/debian-cron:9")
    found = missing_references(wanted, in_digests(digests))
    assert [fault.place for fault in found] == ["kolla/debian-redis:8", "kolla/debian-cron:9"]


def test_the_tags_of_a_layout_are_published(tmp_path: Path) -> None:
    descriptor = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{'0' * 64}",
        "size": 1,
        "annotations": {REF_NAME: "debian-cron:latest"},
    }
    index = {"schemaVersion": 2, "manifests": [descriptor]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert in_layout(tmp_path)("registry.example.org:5000/kolla/debian-cron")
    assert not in_layout(tmp_path)("debian-cron:8")


def test_what_tells_nothing_of_what_is_published_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "digests.json"
    with pytest.raises(UsageError):
        in_digests(file)
    file.write_text("[")
    with pytest.raises(UsageError):
        in_digests(file)
    with pytest.raises(StoreError):
        in_layout(tmp_path)
