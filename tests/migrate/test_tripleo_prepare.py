"""Environments with `ContainerImagePrepare`: prefixes, and expressions that choose images."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.migrate.fleet import names
from tests.migrate.tripleo_tree import DEFAULTS, TREE

from lamina.migrate.edit import Found, apply_edits
from lamina.migrate.readers import read
from lamina.migrate.tripleo.setting import Setting
from lamina.model.names import Scheme

PATH = "environments/prepare.yaml"


def environment(entry: str) -> str:
    """Return an environment with one entry, in YAML's flow style."""
    return f"parameter_defaults:\n  ContainerImagePrepare:\n  - {entry}\n"


def found_in(entry: str, scheme: Scheme = Scheme.SPLIT) -> Found:
    return read(PATH, environment(entry), names(scheme))


def after(entry: str) -> str:
    """Return the entry with its edits; nothing may be undecided."""
    found = found_in(entry)
    assert found.undecided == ()
    return apply_edits(environment(entry), found.edits).splitlines()[2].removeprefix("  - ")


def test_defaults_with_a_typed_prefix_stay_for_the_template_derives_the_other() -> None:
    found = read(DEFAULTS, TREE[DEFAULTS], names())
    assert (found.edits, found.undecided) == ((), ())
    assert [kept.reason for kept in found.kept] == [
        "the template takes 'centos-' from it for infra images"
    ]


@pytest.mark.parametrize("prefix", ["openstack-", "openstack", "''"])
def test_a_prefix_without_a_type_asks_for_one_for_infra_images(prefix: str) -> None:
    (fault,) = found_in(f"set: {{name_prefix: {prefix}}}").undecided
    assert fault.place == f"{PATH}:3"
    assert "infra_prefix" in fault.remedy
    assert found_in(f"set: {{name_prefix: {prefix}, infra_prefix: mine-}}").undecided == ()


def test_a_prefix_for_infra_images_needs_its_dash() -> None:
    (fault,) = found_in("set: {name_prefix: centos-binary, infra_prefix: mine}").undecided
    assert fault.remedy == "write 'mine-'"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("centos-binary-cron", "centos-cron"),
        ("'/centos-binary-nova-libvirt:'", "'/centos-libvirt:'"),
        ('"space/centos-binary-mariadb:.*$"', '"space/centos-mariadb-server:.*$"'),
        ("'(centos-binary-cron|centos-binary-redis):'", "'(centos-cron|centos-redis):'"),
    ],
)
def test_whole_names_in_expressions_move(old: str, new: str) -> None:
    setting = "set: {namespace: host/space, name_prefix: centos-binary-, tag: x}"
    assert after(f"{{includes: [{old}], {setting}}}") == f"{{includes: [{new}], {setting}}}"


@pytest.mark.parametrize(
    "expression",
    ["nova-api", "cron", "mariadb", "redis$", "ceph", "^registry", "libvirt", "space/"],
)
@pytest.mark.parametrize("what", ["includes", "excludes"])
def test_an_expression_that_finds_what_it_found_stays(expression: str, what: str) -> None:
    entry = f"{{{what}: [{expression}], set: {{name_prefix: centos-binary}}}}"
    assert after(entry) == entry


@pytest.mark.parametrize(
    ("expression", "lost", "remedy"),
    [
        ("nova", "libvirt", "/centos-libvirt-end:"),
        ("centos-binary-(cron|redis):", "", ""),
        ("centos-binary-(cron|nova-api)-end", "cron", "/centos-cron-end:"),
        (r"binary\-re", "redis, redis-sentinel", "/centos-(redis|redis-sentinel)-end:"),
        ("/centos-binary-", "cron, dnsmasq", "/centos-"),
    ],
)
@pytest.mark.parametrize("what", ["includes", "excludes"])
def test_an_expression_that_finds_less_is_undecided_until_another_finds_it(
    expression: str, lost: str, remedy: str, what: str
) -> None:
    setting = "set: {name_prefix: centos-binary, name_suffix: end}"
    found = found_in(f"{{{what}: ['{expression}'], {setting}}}")
    assert found.edits == ()
    assert [fault.remedy for fault in found.undecided] == [
        f"add '{it}' to {what}" for it in [remedy] if it
    ]
    assert all(lost in fault.message for fault in found.undecided)
    mended = found_in(f"{{{what}: ['{expression}', '{remedy or 'x'}'], {setting}}}")
    assert (mended.edits, mended.undecided) == ((), ())


def test_without_a_prefix_every_distribution_is_thought_of() -> None:
    (fault,) = found_in("{includes: [nova]}").undecided
    assert fault.remedy == "add '-libvirt:' to includes"
    (fault,) = found_in("{includes: [rhel-source-(cron|nova)]}").undecided
    assert fault.remedy == "add '/rhel-(cron|libvirt):' to includes"
    assert after("{includes: [rhel-source-cron]}") == "{includes: [rhel-cron]}"


def test_excludes_beside_includes_are_as_unread_as_they_were() -> None:
    assert after("{includes: [cron], excludes: [nova]}") == "{includes: [cron], excludes: [nova]}"


def test_a_prefix_of_the_user_says_what_is_found() -> None:
    setting = "set: {name_prefix: centos-binary-, infra_prefix: own-}"
    (fault,) = found_in(f"{{includes: [centos-binary-], {setting}}}").undecided
    assert fault.remedy == "add '/own-' to includes"


def test_an_expression_with_a_fault_is_said() -> None:
    (fault,) = found_in("{includes: [cron, '(']}").undecided
    assert (fault.place, fault.remedy) == (f"{PATH}:3", "correct it")


def test_references_beside_the_entries_move_as_in_any_file() -> None:
    text = environment("{includes: [cron]}").replace(
        "defaults:\n", "defaults:\n  ContainerCronImage: host/space/centos-binary-cron:1 # why\n"
    )
    for mark in ("", "\ufeff"):
        found = read(PATH, mark + text, names())
        assert found.undecided == ()
        new = apply_edits(mark + text, found.edits)
        assert new == mark + text.replace("centos-binary-cron", "centos-cron")


@pytest.mark.parametrize("text", ["ContainerImagePrepare: {a: b}\n", "ContainerImagePrepare: [\n"])
def test_what_is_no_list_of_entries_is_read_as_any_file(text: str) -> None:
    assert read(PATH, text, names()) == Found()


_PIECES = st.sampled_from(
    ["centos-binary-", "cron", "nova", "-", "libvirt", ".*", "mariadb", "|", "redis", ":", "/", "$"]
)


@settings(deadline=None)
@given(
    expressions=st.lists(st.lists(_PIECES, min_size=1, max_size=4).map("".join), max_size=3),
    scheme=st.sampled_from([Scheme.SPLIT, Scheme.INFRA]),
    prefixed=st.booleans(),
)
def test_expressions_without_a_word_of_doubt_find_the_same_images(
    expressions: list[str], scheme: Scheme, *, prefixed: bool
) -> None:
    values = {"name_prefix": "centos-binary-"} if prefixed else {}
    entry = yaml.safe_dump({"includes": expressions, "set": values}, default_flow_style=True)
    text = environment(" ".join(entry.split("\n")))
    found = read(PATH, text, names(scheme))
    new = apply_edits(text, found.edits)
    chosen = yaml.safe_load(new)["parameter_defaults"]["ContainerImagePrepare"][0]["includes"]
    assert len(chosen) == len(expressions)
    said = " ".join(fault.message for fault in found.undecided)
    for image in Setting.of(values, names(scheme)).renamings(names(scheme)):
        before = any(re.search(it, ref) for it in expressions for ref in image.before)
        now = any(re.search(it, ref) for it in chosen for ref in image.after)
        assert now or not before or image.image.id.name in said or " more" in said
    again = read(PATH, new, names(scheme))
    assert again.edits == ()
