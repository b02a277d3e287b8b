"""TripleO's files together: list and template, what is keyed by a name, what takes one apart."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.migrate.fleet import names
from tests.migrate.trees import bytes_of
from tests.migrate.tripleo_tree import DEFAULTS, LIST, TEMPLATE, TREE, migrated

from lamina.catalog import default_folder, load_catalog
from lamina.migrate.check import check
from lamina.migrate.edit import apply_edits
from lamina.migrate.migration import make_migration
from lamina.migrate.names import Names
from lamina.migrate.readers import read
from lamina.migrate.tree import SourceFile, Tree, read_tree
from lamina.migrate.tripleo.check import check_tripleo
from lamina.migrate.writing import revert, write_changes
from lamina.model.image import Kind
from lamina.model.names import Scheme

SCHEMES = (Scheme.SPLIT, Scheme.INFRA)
REAL = "LAMINA_TRIPLEO"
"""The folder of a checkout of tripleo-common of November 2019, for the test that needs one."""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_list_stays_what_its_template_renders(scheme: Scheme) -> None:
    new = migrated(TREE, names(scheme))
    checked = check_tripleo(TREE, new, names(scheme))
    assert checked.faults == ()
    assert checked.lists == (LIST,)
    assert len(checked.templates[TEMPLATE].moved) == 5


@pytest.mark.parametrize("path", [TEMPLATE, LIST])
def test_a_list_or_a_template_that_moves_alone_is_found(path: str) -> None:
    new = {**TREE, path: migrated(TREE, names())[path]}
    places = {fault.place for fault in check_tripleo(TREE, new, names()).faults}
    assert LIST in places


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("centos-cron:", "centos-crond:", "nothing that the template renders"),
        ("centos-cron:", "centos-crond:", "is not there"),
        ("  image_source: ceph\n", "  image_source: kolla\n", "is not there"),
        ("container_images:", "images: # container_images", "not a list"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(right: str, wrong: str, said: str) -> None:
    new = dict(migrated(TREE, names()))
    new[LIST] = new[LIST].replace(right, wrong)
    faults = check_tripleo(TREE, new, names()).faults
    assert any(said in fault.message for fault in faults)


def test_an_entry_in_another_place_is_found() -> None:
    new = dict(migrated(TREE, names()))
    head, *entries = new[LIST].split("- imagename")
    new[LIST] = "- imagename".join((head, *reversed(entries)))
    (fault,) = check_tripleo(TREE, new, names()).faults
    assert "order" in fault.message


def test_a_list_without_defaults_is_not_taken_for_proved() -> None:
    new = {path: text for path, text in migrated(TREE, names()).items() if path != DEFAULTS}
    (fault,) = check_tripleo(TREE, new, names()).faults
    assert "no defaults" in fault.message


def test_the_services_of_entries_that_move_are_restarted() -> None:
    files = tuple(SourceFile(path=path, text=text) for path, text in sorted(TREE.items()))
    migration = make_migration(Tree(root=Path("tree"), files=files, unread=()), names())
    assert [(one.container, one.path, one.line) for one in migration.restarts] == [
        ("OS::TripleO::Services::Cron", TEMPLATE, 4),
        ("OS::TripleO::Services::OVN", TEMPLATE, 27),
    ]


ENVIRONMENT = """\
parameter_defaults:
  ContainerImagePrepare:
  - includes: [centos-binary-cron, centos-redis, nova-api]
    set: {name_prefix: centos-binary-, tag: one}
  - excludes: [centos-binary-nova-libvirt, fluentd]
"""


def test_an_environment_chooses_the_images_that_it_chose() -> None:
    old = {"prepare.yaml": ENVIRONMENT}
    new = migrated(old, names())
    assert new != old
    assert check_tripleo(old, new, names()).faults == ()
    assert check_tripleo(new, new, names()).faults == ()


def test_the_check_of_a_tree_includes_its_files_of_tripleo() -> None:
    environment = ENVIRONMENT.replace("fluentd]", "'centos-binary-(?:fluentd|redis)']")
    old = {**TREE, "prepare.yaml": ENVIRONMENT}
    new = migrated(old, names())
    checked = check(old, new, names(), {})
    assert checked.faults == ()
    assert checked.values == 5 + 5  # of the list and of the template
    assert {"registry.example/tripleo/centos-cron:current"} < set(checked.references)
    assert check(old, {**new, LIST: TREE[LIST]}, names(), {}).faults
    lost = {"prepare.yaml": environment}
    messages = [fault.message for fault in check(lost, lost, names(), {}).faults]
    assert "excludes do not find 'fluentd' any more" in messages


@pytest.mark.parametrize(
    ("chosen", "asked"),
    [
        ("", {"cron", "fluentd", "mariadb-server", "redis", "libvirt"}),
        (
            "    excludes: [centos-binary-cron, nova-api]\n",
            {"fluentd", "mariadb-server", "redis", "libvirt"},
        ),
        ("    includes: [centos-binary-redis, nova-api]\n", {"redis"}),
    ],
)
def test_an_environment_asks_the_template_for_what_it_sets_and_chooses(
    chosen: str, asked: set[str]
) -> None:
    environment = (
        "parameter_defaults:\n  ContainerImagePrepare:\n  - push_destination: true\n"
        f"{chosen}    set: {{namespace: 'host:5000/own', name_suffix: x, tag: '8'}}\n"
    )
    old = {**TREE, "prepare.yaml": environment}
    new = migrated(old, names())
    checked = check_tripleo(old, new, names())
    assert checked.faults == ()
    own = {one for one in checked.references if one.startswith("host:5000/")}
    assert own == {f"host:5000/own/centos-{name}-x:8" for name in asked}
    defaults = {one for one in checked.references if one not in own}
    assert len(defaults) == 5
    assert set(check(old, new, names(), {}).references) == own | defaults


def test_an_environment_without_all_parts_of_a_reference_asks_for_none() -> None:
    old = {TEMPLATE: TREE[TEMPLATE], "prepare.yaml": ENVIRONMENT}
    new = migrated(old, names())
    assert check_tripleo(old, new, names()).references == ()


def test_the_statement_that_is_added_is_no_move() -> None:
    files = (SourceFile(path=TEMPLATE, text=TREE[TEMPLATE]),)
    migration = make_migration(Tree(root=Path("tree"), files=files, unread=()), names())
    assert [(move.old, move.new) for move in migration.moves if "mariadb" in move.old] == [
        ("{{ name_prefix }}mariadb", "{{ infra_prefix }}mariadb-server")
    ]
    assert sum(move.places for move in migration.moves) == 5
    assert len(migration.changes[0].edits) == 6


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("centos-cron,", "", "do not find 'cron' any more"),
        ("centos-cron,", "'/centos-',", "find 'dnsmasq', and did not before"),
        ("nova-api]", "nova]", "do not find"),
        ("centos-libvirt, ", "", "do not find 'libvirt' any more"),
        ("tag: one", "tag: two", "sets something else"),
        ("  - excludes: [centos-libvirt, fluentd]\n", "", "number of entries"),
    ],
)
def test_an_environment_that_chooses_other_images_is_found(
    right: str, wrong: str, said: str
) -> None:
    old = {"prepare.yaml": ENVIRONMENT}
    text = migrated(old, names())["prepare.yaml"]
    assert right in text
    faults = check_tripleo(old, {"prepare.yaml": text.replace(right, wrong)}, names()).faults
    assert any(said in fault.message for fault in faults)


STRIPPING = "import re\n\n\ndef é(name):\n    return re.sub(r'^(binary|source|rdo)-', '', name)\n"


def test_a_program_that_takes_types_off_takes_their_replacement_off_too() -> None:
    found = read("build.py", STRIPPING, names(Scheme.INFRA))
    assert found.undecided == ()
    new = apply_edits(STRIPPING, found.edits)
    assert new == STRIPPING.replace("(binary|", "(infra|binary|")
    assert read("build.py", new, names(Scheme.INFRA)).edits == ()


def test_names_without_a_word_for_their_kind_ask_nothing_of_programs() -> None:
    found = read("build.py", STRIPPING, names(Scheme.SPLIT))
    assert (found.edits, found.undecided) == ((), ())


def test_an_expression_that_takes_types_off_in_another_way_is_undecided() -> None:
    text = STRIPPING.replace("(binary|source|rdo)", "(?:binary)?(?:source)?")
    found = read("build.py", text, names(Scheme.INFRA))
    assert found.edits == ()
    assert [fault.place for fault in found.undecided] == ["build.py:5"]


@pytest.mark.parametrize(
    "line",
    [
        "re.sub(r'^(binary|source)', '', name)",
        "re.sub('(', 'binary', 'source')",
        "other.sub(r'^(binary|source)-', '', name)",
        "re.sub(binary, source, name)",
        "re.sub(r'^(binary|source",
    ],
)
def test_other_programs_stay(line: str) -> None:
    found = read("build.py", f"import re\n{line}\n", names(Scheme.INFRA))
    assert (found.edits, found.undecided) == ((), ())


def test_overrides_that_are_keyed_by_an_old_name_are_listed() -> None:
    text = (
        "{% extends parent_template %}\n"
        "{% set nova_libvirt_packages_append = ['one'] %}\n"
        "{% set nova_api_packages_append = ['one'] %}\n"
        "{% set mariadb_server_packages_append = ['one'] %}\n"
        "{% block mariadb_footer %}RUN true{% endblock %}\n"
        "{% block cron_footer %}{% endblock %}\n"
    )
    found = read("overrides.j2", text, names())
    assert found.edits == ()
    assert [(fault.place, fault.message) for fault in found.undecided] == [
        (
            "overrides.j2:2",
            "'nova_libvirt_packages_append' is for 'nova-libvirt', which is called 'libvirt' now",
        ),
        (
            "overrides.j2:5",
            "'mariadb_footer' is for 'mariadb', which is called 'mariadb-server' now",
        ),
    ]
    assert read("overrides.j2", text.replace("{% block ", "{% blocks "), names()).edits == ()


@pytest.mark.skipif(not os.environ.get(REAL), reason=f"{REAL} names no checkout of tripleo-common")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_23_images_of_the_real_tree_move_and_no_openstack_one(
    scheme: Scheme, tmp_path: Path
) -> None:
    root = tmp_path / "tripleo-common"
    shutil.copytree(Path(os.environ[REAL]), root, symlinks=True)
    original = bytes_of(root)
    real = Names.of(load_catalog([default_folder()], "debian-13"), scheme)
    before = {file.path: file.text for file in read_tree(root).files}
    migration = make_migration(read_tree(root), real)
    write_changes(root, migration.changes, scheme)
    after = {file.path: file.text for file in read_tree(root).files}
    checked = check_tripleo(before, after, real)
    assert checked.faults == ()
    (template,) = checked.templates.values()
    assert len(template.moved) == 23
    assert {real.images[name].kind for name in template.moved} == {Kind.INFRA}
    assert "tripleoclient" not in template.moved
    (list_,) = checked.lists
    old, new = (Counter(texts[list_].splitlines()) for texts in (before, after))
    assert ((old - new).total(), (new - old).total()) == (23, 23)
    assert make_migration(read_tree(root), real).changes == ()
    revert(root)
    assert bytes_of(root) == original
